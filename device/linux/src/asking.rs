//! Questions in JSON to the devices' HTTPS port, one at a time and with an end.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::https::retry_after_s;

/// How long a question may take.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The longest answer: a few certificates.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// Another try may go better, after so long at the earliest.
    ForNow(String, Duration),
    /// The same question would be answered alike.
    Refused {
        /// Its stable code.
        code: String,
        /// What it says to people.
        detail: String,
    },
}

impl Unanswered {
    pub(crate) fn for_now(why: impl ToString) -> Unanswered {
        Unanswered::ForNow(why.to_string(), Duration::ZERO)
    }
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

/// Asks a question; `client` follows no redirects.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    url: Url,
    question: &Value,
) -> Result<T, Unanswered> {
    let sent = client.post(url).timeout(ANSWER_LIMIT).json(question).send().await;
    let response = sent.map_err(|error| Unanswered::for_now(error.without_url()))?;
    let status = response.status();
    let wait = Duration::from_secs(retry_after_s(&response).unwrap_or(0));
    let bytes = body_of(response).await?;
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(Unanswered::for_now);
    }
    match serde_json::from_slice(&bytes) {
        Ok(Problem { code, detail }) if is_final(status) => {
            Err(Unanswered::Refused { code, detail })
        }
        _ => Err(Unanswered::ForNow(status.to_string(), wait)),
    }
}

/// Whether the same question would be answered alike.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && status != StatusCode::TOO_MANY_REQUESTS
        && status != StatusCode::REQUEST_TIMEOUT
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, Unanswered> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(Unanswered::for_now("the answer is too long")),
            Err(error) => return Err(Unanswered::for_now(error.without_url())),
        }
    }
}
