use std::time::Duration;

use serde::Deserialize;

/// What the server said about a request it did not carry out.
///
/// `code` is stable and for programs, `detail` is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `release_unknown`; `http_<status>` if the server gave none.
    pub code: String,
    /// The explanation.
    pub detail: String,
    /// What the server found, when it compared something.
    pub found: Option<String>,
    /// What it would have taken.
    pub expected: Option<String>,
    /// When the same request may go better, in seconds, where the server says so.
    pub retry_after_s: Option<u64>,
    /// What [`crate::Client::sign_in_with_code`] takes, where a second factor is asked for.
    pub challenge: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)?;
        match (&self.found, &self.expected) {
            // Some explanations hold both already.
            (Some(found), Some(expected)) if !self.detail.contains(found) => {
                write!(f, "\nfound {found}\nexpected {expected}")
            }
            _ => Ok(()),
        }
    }
}

/// Both error shapes of the server: `application/problem+json` and the AWS data plane's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemBody {
    code: Option<String>,
    detail: Option<String>,
    message: Option<String>,
    found: Option<String>,
    expected: Option<String>,
    challenge: Option<String>,
}

impl Problem {
    /// Reads an answer's body; what is not JSON becomes the explanation, shortened.
    pub(crate) fn read(status: reqwest::StatusCode, body: &[u8]) -> Problem {
        let read: ProblemBody = serde_json::from_slice(body).unwrap_or_default();
        let text = || {
            let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            match text.is_empty() {
                true => status.canonical_reason().unwrap_or("no explanation").to_owned(),
                false => text,
            }
        };
        Problem {
            status: status.as_u16(),
            code: read.code.unwrap_or_else(|| format!("http_{}", status.as_u16())),
            detail: read.detail.or(read.message).unwrap_or_else(text),
            found: read.found,
            expected: read.expected,
            retry_after_s: None,
            challenge: read.challenge,
        }
    }
}

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The server cannot be reached, or the connection broke.
    #[error("could not reach {server}")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered something that is not this API.
    #[error("{server} answered something else than this API: {detail}")]
    Answer {
        /// The server's URL.
        server: String,
        /// What is wrong with it.
        detail: String,
    },
    /// URL, token or certificate cannot be used.
    #[error("{0}")]
    Setup(String),
}

impl ClientError {
    /// The server's refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            ClientError::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// How long the server asks to be left alone: RFC 9110 section 10.2.3, in its whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.problem()?.retry_after_s.map(Duration::from_secs)
    }

    /// Whether the same request may go better later: the server was asked too much, cannot be
    /// reached, or has a fault.
    pub fn may_pass(&self) -> bool {
        self.status().is_none_or(|status| status >= 500 || status == 429)
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use reqwest::StatusCode;

    fn check(status: StatusCode, body: &str, expected: Expect) {
        expected.assert_eq(&Problem::read(status, body.as_bytes()).to_string());
    }

    #[test]
    fn both_error_shapes_and_none_are_read() {
        check(
            StatusCode::UNPROCESSABLE_ENTITY,
            r#"{"title":"Unprocessable Content","status":422,"code":"wrong_chip",
                "detail":"the image is for another chip","found":"an ESP32 image","expected":"ESP32-C3"}"#,
            expect![[r#"
                the image is for another chip (wrong_chip)
                found an ESP32 image
                expected ESP32-C3"#]],
        );
        check(
            StatusCode::NOT_FOUND,
            r#"{"message":"No shadow exists with name: 'clock-01'","traceId":"x"}"#,
            expect![["No shadow exists with name: 'clock-01' (http_404)"]],
        );
        check(
            StatusCode::BAD_GATEWAY,
            "<html>proxy</html>",
            expect![["<html>proxy</html> (http_502)"]],
        );
        check(StatusCode::FORBIDDEN, "", expect![["Forbidden (http_403)"]]);
    }
}
