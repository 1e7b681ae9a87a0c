//! A device makes its key by itself and becomes a thing with the token it was given.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otaru_keys::{Answer, Enrolment, EnrolmentFile, KeysError};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

/// How long a question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The longest answer: a few certificates.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

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

/// What went wrong with one try, if another may go better.
enum Failed {
    ForNow(String),
    ForGood(EnrolmentError),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
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
    let mut longest = base;
    loop {
        let enrolment = Enrolment::begin(dir)?;
        match ask(&client, &file, &enrolment.request()?).await {
            Ok(answer) => {
                enrolment.finish(&answer)?;
                tracing::info!(folder = %dir.display(), "Enrolled");
                return Ok(());
            }
            Err(Failed::ForGood(error)) => return Err(error),
            Err(Failed::ForNow(why)) => {
                let wait = jittered(longest);
                tracing::warn!(reason = why, wait_s = wait.as_secs(), "Not enrolled yet");
                tokio::time::sleep(wait).await;
                longest = (longest * 2).min(cap);
            }
        }
    }
}

/// Anything up to the longest wait: a whole batch may begin at once.
fn jittered(longest: Duration) -> Duration {
    let mut bytes = [0; 4];
    // Without randomness all wait as long as the longest.
    match getrandom::fill(&mut bytes) {
        Ok(()) => longest.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => longest,
    }
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

async fn ask(client: &Client, file: &EnrolmentFile, request: &str) -> Result<Answer, Failed> {
    let url = Url::parse(&file.device_url).and_then(|url| url.join("/enrolment"));
    let url = url.map_err(|_| Failed::ForGood(EnrolmentError::Server))?;
    let body = serde_json::json!({ "token": file.token, "certificate_request": request });
    let sent = client.post(url).json(&body).send().await;
    let response = sent.map_err(|error| Failed::ForNow(error.without_url().to_string()))?;
    let status = response.status();
    let bytes = body_of(response).await?;
    if status.is_success() {
        let answer = serde_json::from_slice(&bytes);
        return answer.map_err(|error| Failed::ForNow(error.to_string()));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Problem { code, detail }) if is_final(status) => {
            Err(Failed::ForGood(EnrolmentError::Refused { code, detail }))
        }
        _ => Err(Failed::ForNow(status.to_string())),
    }
}

/// Whether the same question would be answered alike.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && status != StatusCode::TOO_MANY_REQUESTS
        && status != StatusCode::REQUEST_TIMEOUT
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(Failed::ForNow("the answer is too long".to_owned())),
            Err(error) => return Err(Failed::ForNow(error.without_url().to_string())),
        }
    }
}
