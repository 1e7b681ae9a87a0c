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

/// Makes `dir` a device's with the token in `file`, unless it is one. Tries until the server
/// answers; a wait begins at `base`, doubles up to `cap` and has full jitter.
///
/// # Errors
/// What another try would not mend.
pub async fn enrol(
    dir: &Path,
    file: &Path,
    base: Duration,
    cap: Duration,
) -> Result<(), EnrolmentError> {
    if Enrolment::is_done(dir) {
        return Ok(());
    }
    let file = EnrolmentFile::read(file)?;
    let client = client(&file).ok_or(EnrolmentError::Server)?;
    let url = Url::parse(&file.device_url).and_then(|url| url.join("/enrolment"));
    let url = url.map_err(|_| EnrolmentError::Server)?;
    let mut tries = 0;
    loop {
        let enrolment = Enrolment::begin(dir)?;
        let request = enrolment.request()?;
        let question = serde_json::json!({ "token": file.token, "certificate_request": request });
        match asking::ask::<Answer>(&client, url.clone(), &question).await {
            Ok(answer) => {
                enrolment.finish(&file, &answer)?;
                tracing::info!(folder = %dir.display(), "Enrolled");
                return Ok(());
            }
            Err(Unanswered::Refused { code, detail }) => {
                return Err(EnrolmentError::Refused { code, detail });
            }
            Err(Unanswered::ForNow(why, at_least)) => {
                // Without randomness all wait as long as the longest.
                let random = getrandom::u64().unwrap_or(u64::MAX);
                let wait = backed_off(base, cap, tries, random).max(at_least);
                tracing::warn!(reason = why, wait_s = wait.as_secs(), "Not enrolled yet");
                tokio::time::sleep(wait).await;
                tries = tries.saturating_add(1);
            }
        }
    }
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
