//! Server-sent events that a client can resume without loss.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, future, stream};
use serde::Deserialize;

use crate::ApiError;
use crate::extract::Query;
use crate::listener::Draining;

/// Below the shortest idle timeout of common proxies.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How long a browser waits before it connects again.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its place in the log, from which a client resumes; byte ticks have none.
    pub(crate) id: Option<i64>,
    /// What happened.
    pub(crate) kind: String,
    /// A JSON object.
    pub(crate) body: String,
}

/// The last event the client has seen: the header that browsers send when they
/// connect again, or `last_event_id` in the query, for a page that was reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastEventId(pub(crate) Option<i64>);

#[derive(Deserialize)]
struct Resume {
    last_event_id: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<LastEventId, ApiError> {
        let Some(header) = parts.headers.get("last-event-id") else {
            let Query(resume) = Query::<Resume>::from_request_parts(parts, state).await?;
            return Ok(LastEventId(resume.last_event_id));
        };
        let text = String::from_utf8_lossy(header.as_bytes()).into_owned();
        match text.trim().parse() {
            Ok(id) => Ok(LastEventId(Some(id))),
            Err(_) => {
                let detail = "Last-Event-ID is not the id of an event";
                Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", detail)
                    .with_found(text, "a whole number"))
            }
        }
    }
}

/// The connection's [`Draining`]; none in tests without a listener.
pub(crate) struct Until(pub(crate) Option<Draining>);

impl Until {
    /// Returns once streams are to end.
    pub(crate) async fn over(self) {
        match self.0 {
            Some(draining) => draining.begun().await,
            None => future::pending().await,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Until {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Until, Infallible> {
        Ok(Until(parts.extensions.get::<Draining>().cloned()))
    }
}

/// Streams the messages until the client leaves or the listener drains.
///
/// The first frame has no event, only the id that the messages come after: a stream that
/// breaks before it brought one resumes there.
pub(crate) fn stream(
    after: i64,
    messages: impl Stream<Item = Message> + Send + 'static,
    until: Until,
) -> Response {
    let first = Event::default().id(after.to_string()).retry(RETRY_DELAY).comment("listening");
    let first = stream::once(future::ready(first));
    let events = first.chain(messages.map(event)).map(Ok::<Event, Infallible>);
    let events = events.take_until(until.over());
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL);
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let uncached = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ([unbuffered, uncached], Sse::new(events).keep_alive(keep_alive)).into_response()
}

fn event(message: Message) -> Event {
    let event = Event::default().event(message.kind).data(message.body);
    match message.id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::extract::Request;
    use expect_test::expect;

    use super::*;

    async fn last_event_id(uri: &str, header: Option<&str>) -> Result<LastEventId, ApiError> {
        let mut request = Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header("Last-Event-ID", header);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        LastEventId::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_client_resumes_by_header_or_query() {
        assert_eq!(last_event_id("/listen", None).await.unwrap(), LastEventId(None));
        assert_eq!(last_event_id("/listen", Some("7")).await.unwrap(), LastEventId(Some(7)));
        let reloaded = last_event_id("/listen?last_event_id=7", None).await.unwrap();
        assert_eq!(reloaded, LastEventId(Some(7)));
        // The header is newer than the address the stream was opened with.
        let both = last_event_id("/listen?last_event_id=7", Some("9")).await.unwrap();
        assert_eq!(both, LastEventId(Some(9)));
    }

    #[tokio::test]
    async fn an_id_that_is_none_is_refused() {
        let error = last_event_id("/listen", Some("yesterday")).await.unwrap_err();
        assert_eq!(error.code(), "invalid_last_event_id");
        let error = last_event_id("/listen?last_event_id=x", None).await.unwrap_err();
        assert_eq!(error.code(), "invalid_query");
    }

    #[tokio::test]
    async fn messages_carry_ids_only_where_a_client_may_resume() {
        let message = |id, kind: &str, body: &str| Message {
            id,
            kind: kind.to_owned(),
            body: body.to_owned(),
        };
        let messages = stream::iter([
            message(Some(4), "update_changed", r#"{"phase":"downloading"}"#),
            message(None, "update_changed", r#"{"done":100}"#),
        ]);
        let response = super::stream(3, messages, Until(None));
        let head = format!("{:?}", response.headers().get("x-accel-buffering"));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        expect![[r#"
            Some("no")
            id: 3
            retry: 2000
            : listening

            event: update_changed
            data: {"phase":"downloading"}
            id: 4

            event: update_changed
            data: {"done":100}

        "#]]
        .assert_eq(&format!("{head}\n{}", String::from_utf8_lossy(&body)));
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_listener_drains() {
        let (begin, draining) = Draining::by_hand();
        let response = super::stream(3, stream::pending(), Until(Some(draining)));
        let read = tokio::spawn(to_bytes(response.into_body(), 10_000));
        begin.send_replace(true);
        let body = read.await.unwrap().expect("the stream ends whole");
        assert!(body.is_empty() || body.starts_with(b"id: 3\nretry: 2000"));
    }
}
