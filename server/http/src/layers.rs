//! What every request and response gets, whatever the route.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

/// The id of a request: in its log records and in the response.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// As [`frame`], for an answer that no route made.
pub(crate) fn dress_alone(response: &mut Response) {
    let mut text = Uuid::encode_buffer();
    dress(response, Uuid::new_v4().hyphenated().encode_lower(&mut text));
}

/// Names the request, opens its span, and adds the headers of every response.
pub(crate) async fn frame(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path only: a query may hold what does not belong into a log.
    let span = tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.path = request.uri().path(),
        request.id = id
    );
    let started_at = tokio::time::Instant::now();
    let mut response = async {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let took_ms = started_at.elapsed().as_millis() as u64;
        tracing::debug!(http.status = status, took_ms, "Request answered");
        response
    }
    .instrument(span)
    .await;
    dress(&mut response, &id);
    response
}

fn dress(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, HeaderValue::from_str(id).expect("a UUID is ASCII"));
    let always =
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What an answer may say otherwise about itself.
    let unless_said = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in unless_said {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
