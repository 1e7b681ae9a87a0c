//! A device makes its key by itself and becomes a thing with the token it was given.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otaru_agent::full_jitter;
use otaru_keys::{Answer, Enrolment, EnrolmentFile, KeysError};
use reqwest::{Client, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::asking::{self, ANSWER_LIMIT, Unanswered};

/// Why a device did not become a thing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// Key, token or folder are no good.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The token's file names no server that can be asked.
    #[error("device_url or ca_pem of the token's file cannot be used")]
    Server,
    /// The server does not take token or key.
    #[error("the server refuses: {code}: {detail}")]
    Refused {
        /// Its stable code.
        code: String,
        /// What it says to people.
        detail: String,
    },
}

/// Makes `dir` a device's with the token in `file`, unless it is one. Tries for ever: the token's
/// file is read each time, and whoever is told by `hindered` may put another one there.
///
/// A wait begins at `base`, doubles up to `cap` and has full jitter.
pub async fn enrol(
    dir: &Path,
    file: &Path,
    base: Duration,
    cap: Duration,
    mut hindered: impl FnMut(&EnrolmentError),
) {
    let mut tries = 0;
    while let Err(why) = try_once(dir, file).await {
        let at_least = match &why {
            Hindrance::ForNow(_, at_least) => *at_least,
            // Somebody has to come: no try is urgent.
            Hindrance::Error(error) => {
                hindered(error);
                base
            }
        };
        // Without randomness all wait as long as the longest.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let wait = backed_off(base, cap, tries, random).max(at_least);
        if let Hindrance::ForNow(reason, _) = why {
            tracing::warn!(reason, wait_s = wait.as_secs(), "Not enrolled yet");
        }
        tokio::time::sleep(wait).await;
        tries = tries.saturating_add(1);
    }
}

/// Why a try did not make the folder a device's.
enum Hindrance {
    /// Another try may go better, after so long at the earliest.
    ForNow(String, Duration),
    /// Another try goes better when somebody has come.
    Error(EnrolmentError),
}

impl From<EnrolmentError> for Hindrance {
    fn from(error: EnrolmentError) -> Hindrance {
        Hindrance::Error(error)
    }
}

impl From<KeysError> for Hindrance {
    fn from(error: KeysError) -> Hindrance {
        Hindrance::Error(error.into())
    }
}

async fn try_once(dir: &Path, file: &Path) -> Result<(), Hindrance> {
    if Enrolment::is_done(dir) {
        return Ok(());
    }
    let file = EnrolmentFile::read(file)?;
    let client = client(&file).ok_or(EnrolmentError::Server)?;
    let url = Url::parse(&file.device_url).and_then(|url| url.join("/enrolment"));
    let url = url.map_err(|_| EnrolmentError::Server)?;
    let enrolment = Enrolment::begin(dir)?;
    let request = enrolment.request()?;
    let question = serde_json::json!({ "token": file.token, "certificate_request": request });
    let answer = asking::ask::<Answer>(&client, url, &question).await.map_err(|why| match why {
        Unanswered::ForNow(why, at_least) => Hindrance::ForNow(why, at_least),
        Unanswered::Refused { code, detail } => EnrolmentError::Refused { code, detail }.into(),
    })?;
    enrolment.finish(&file, &answer)?;
    tracing::info!(folder = %dir.display(), "Enrolled");
    Ok(())
}

/// Anything up to the longest wait: a whole batch may begin at once.
fn backed_off(base: Duration, cap: Duration, tries: u32, random: u64) -> Duration {
    let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(full_jitter(ms(base), ms(cap), tries, random))
}

fn client(file: &EnrolmentFile) -> Option<Client> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(file.ca_pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(config)
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(ANSWER_LIMIT)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that is no good is told of each time, and another one is found.
    #[tokio::test]
    async fn a_folder_that_another_hand_made_a_devices_ends_the_tries() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, token) = (folder.path().join("device"), folder.path().join("token"));
        let (base, cap) = (Duration::from_millis(5), Duration::from_millis(10));
        let begin = tokio::time::Instant::now();
        let mut said = Vec::new();
        let hindered = |error: &EnrolmentError| {
            said.push(error.to_string());
            match said.len() {
                1 => std::fs::write(&token, "no token").unwrap(),
                8 => {
                    std::fs::create_dir(&dir).unwrap();
                    std::fs::write(dir.join("cert.pem"), "").unwrap();
                }
                _ => {}
            }
        };
        enrol(&dir, &token, base, cap, hindered).await;
        assert!(said[0].contains("could not read"), "{said:?}");
        assert!(said[1].contains("is no enrolment token's"), "{said:?}");
        assert_eq!(said.len(), 8);
        assert!(begin.elapsed() >= base * 8, "no try is urgent");
    }

    #[test]
    fn a_wait_doubles_up_to_the_cap_and_may_be_none() {
        let (base, cap) = (Duration::from_secs(30), Duration::from_secs(100));
        let longest: Vec<u64> =
            (0..4).map(|tries| backed_off(base, cap, tries, u64::MAX).as_secs()).collect();
        assert_eq!(longest, [30, 60, 100, 100]);
        assert_eq!(backed_off(base, cap, u32::MAX, 0), Duration::ZERO);
        assert_eq!(
            backed_off(Duration::MAX, Duration::MAX, 9, u64::MAX).as_millis(),
            u64::MAX.into()
        );
    }
}
