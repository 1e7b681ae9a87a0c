//! The one error shape of the API: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not carried out.
///
/// `code` is stable and for programs, `detail` is for people. What is internal
/// is logged when the error is made and never sent.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    found: Option<String>,
    expected: Option<String>,
    retry_after_s: Option<u32>,
    challenge: Option<Box<str>>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, for programs; stable.
    code: &'static str,
    /// What happened, for people.
    detail: String,
    /// What the server found in the request or in what was uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// What it would have taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// What the next step takes, where a second factor is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
}

impl ApiError {
    /// An error with this status, code and explanation.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl ToString) -> ApiError {
        let detail = detail.to_string();
        ApiError {
            status,
            code,
            detail,
            found: None,
            expected: None,
            retry_after_s: None,
            challenge: None,
        }
    }

    /// Adds what was found and what was expected instead.
    pub(crate) fn with_found(mut self, found: impl ToString, expected: impl ToString) -> ApiError {
        self.found = Some(found.to_string());
        self.expected = Some(expected.to_string());
        self
    }

    /// Says when the same request may go better.
    pub(crate) fn with_retry_after(mut self, seconds: Option<u32>) -> ApiError {
        self.retry_after_s = seconds;
        self
    }

    /// Says what the next step takes.
    pub(crate) fn with_challenge(mut self, challenge: Option<&str>) -> ApiError {
        self.challenge = challenge.map(Box::from);
        self
    }

    /// A fault of ours: logs the chain of causes once and tells the client nothing of it.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> ApiError {
        tracing::error!(error = cause, "Request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ApiError::new(status, "internal", "the server could not carry out the request")
    }

    /// When the same request may go better, in seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// The status it is sent with.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The explanation for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let ApiError { status, code, detail, found, expected, retry_after_s, challenge } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let status_code = status.as_u16();
        let challenge = challenge.map(String::from);
        let problem =
            Problem { title, status: status_code, code, detail, found, expected, challenge };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let problem_json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem_json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers a path that names no route.
pub(crate) async fn route_unknown(uri: axum::http::Uri) -> ApiError {
    route_unknown_at(&uri)
}

/// As [`route_unknown`].
pub(crate) fn route_unknown_at(uri: &axum::http::Uri) -> ApiError {
    let detail = format!("there is no route {}", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "route_unknown", detail)
}

/// Answers a method the route does not take; the router adds `Allow`.
pub(crate) async fn method_not_allowed(method: axum::http::Method) -> ApiError {
    let detail = format!("this route does not take {method}");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Answers for a handler that panicked; the panic itself is logged by the panic hook.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let detail = "the server could not carry out the request";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
