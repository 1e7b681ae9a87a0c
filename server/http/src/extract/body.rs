//! JSON bodies.

use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// The longest JSON body of routes that say nothing else. Shadow documents, the largest
/// regular ones, have 8 KiB.
pub(crate) const MAX_JSON_BYTES: usize = 256 * 1024;

/// How long a body a route takes, for who has to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongestBody(usize);

/// The layer of a route that takes JSON bodies of another length than [`MAX_JSON_BYTES`].
pub(crate) fn longest_body(bytes: usize) -> (DefaultBodyLimit, Extension<LongestBody>) {
    (DefaultBodyLimit::max(bytes), Extension(LongestBody(bytes)))
}

/// How long a client may take to send a JSON body, so that one who sends a byte
/// a minute does not hold a connection for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body, taken or given.
///
/// Broken JSON is `invalid_json`; JSON of another shape is `invalid_body`,
/// naming the member.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        check_content_type(request.headers())?;
        parse(&read_body(request, state).await?).map(Json)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<OptionalJson<T>, ApiError> {
        let checked = check_content_type(request.headers());
        let body = read_body(request, state).await?;
        if body.is_empty() {
            return Ok(OptionalJson(None));
        }
        checked?;
        parse(&body).map(|body| OptionalJson(Some(body)))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a body whole, within the route's size limit and [`BODY_TIMEOUT`].
pub(crate) async fn read_body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, ApiError> {
    let longest = request.extensions().get::<LongestBody>().map_or(MAX_JSON_BYTES, |most| most.0);
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) => Err(unreadable(&rejection, longest)),
        Err(_elapsed) => {
            let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
        }
    }
}

fn unreadable(rejection: &BytesRejection, longest: usize) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the body is longer than this route takes";
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            .with_found("a longer body", format!("at most {longest} bytes"));
    }
    let detail = "the connection ended before the body did";
    ApiError::new(StatusCode::BAD_REQUEST, "body_incomplete", detail)
}

/// No `Content-Type` is taken as JSON, for `curl -d` and small clients.
fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(found) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = found.to_str().unwrap_or("").to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or("").trim();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    // What `curl -d` sends when nobody says otherwise.
    let is_curl_default = essence == "application/x-www-form-urlencoded";
    if is_json || is_curl_default {
        return Ok(());
    }
    let detail = format!("the body is {essence}, this route takes JSON");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        .with_found(essence, "application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let member = error.path().to_string();
        refused(error.inner(), &member)
    })?;
    json.end().map_err(|error| refused(&error, "."))?;
    Ok(value)
}

fn refused(error: &serde_json::Error, member: &str) -> ApiError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => {
            let words = in_words(&error.to_string());
            let detail = if member == "." { words } else { format!("{member}: {words}") };
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
        }
        Category::Syntax | Category::Eof | Category::Io => {
            let detail = format!("the body is not JSON: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
        }
    }
}

/// serde calls an object by the type that reads it.
pub(crate) fn in_words(error: &str) -> String {
    let Some((before, name)) = error.split_once("expected struct ") else {
        return error.to_owned();
    };
    let name_len = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    format!("{before}expected an object{}", &name[name_len..])
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use expect_test::{Expect, expect};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read only through Debug")]
    struct Order {
        version: String,
        count: u32,
    }

    async fn check(content_type: Option<&str>, body: &'static str, expected: Expect) {
        let mut request = Request::builder().method("POST");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body)).unwrap();
        let printed = match Json::<Order>::from_request(request, &()).await {
            Ok(Json(order)) => format!("{order:?}"),
            Err(error) => format!("{} {}: {}", error.status(), error.code(), error.detail()),
        };
        expected.assert_eq(&printed);
    }

    #[tokio::test]
    async fn a_body_is_taken_with_json_or_no_content_type() {
        let body = r#"{"version":"1.0.5","count":2}"#;
        let order = || expect![[r#"Order { version: "1.0.5", count: 2 }"#]];
        check(None, body, order()).await;
        check(Some("application/json; charset=utf-8"), body, order()).await;
        check(Some("application/merge-patch+json"), body, order()).await;
    }

    #[tokio::test]
    async fn another_content_type_is_refused() {
        let expected = expect![
            "415 Unsupported Media Type unsupported_media_type: the body is text/xml, this route takes JSON"
        ];
        check(Some("text/xml"), "<order/>", expected).await;
    }

    #[tokio::test]
    async fn a_body_of_another_shape_is_told_in_words() {
        check(
            None,
            "7",
            expect!["400 Bad Request invalid_body: invalid type: integer `7`, expected an object at line 1 column 1"],
        )
        .await;
        check(
            None,
            r#"["1"]"#,
            expect!["400 Bad Request invalid_body: invalid length 1, expected an object with 2 elements at line 1 column 5"],
        )
        .await;
    }

    #[tokio::test]
    async fn broken_json_is_told_from_json_of_another_shape() {
        check(
            None,
            r#"{"version":"#,
            expect!["400 Bad Request invalid_json: the body is not JSON: EOF while parsing a value at line 1 column 11"],
        )
        .await;
        check(
            None,
            r#"{"version":"1","count":"2"}"#,
            expect![[r#"400 Bad Request invalid_body: count: invalid type: string "2", expected u32 at line 1 column 26"#]],
        )
        .await;
        check(
            None,
            r#"{"version":"1","cuont":2}"#,
            expect!["400 Bad Request invalid_body: cuont: unknown field `cuont`, expected `version` or `count` at line 1 column 22"],
        )
        .await;
        check(
            None,
            r#"{"version":"1","count":2}}"#,
            expect!["400 Bad Request invalid_json: the body is not JSON: trailing characters at line 1 column 26"],
        )
        .await;
    }
}
