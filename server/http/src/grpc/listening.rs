//! `ListenUpdates`: one message in, messages out until somebody ends it.

use std::time::Duration;

use axum::http::StatusCode;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, future, stream};
use otaru_operations::{Actor, App, Heard, Reach, listen};
use otaru_wire::notifications::{ListenUpdatesRequest, ListenUpdatesResponse};
use tonic::server::StreamingService;
use tonic::{Code, Request, Response, Status, Streaming};

use super::status;
use crate::ApiError;
use crate::sse::{KEEP_ALIVE_INTERVAL, Until};

/// How long a client may take to send its one message.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

type Answers = BoxStream<'static, Result<ListenUpdatesResponse, Status>>;

/// One call, by somebody who is known.
pub(super) struct ListenUpdates {
    pub(super) app: App,
    pub(super) actor: Actor,
    /// Taken by the call.
    pub(super) until: Option<Until>,
}

// To gRPC a stream of one message; read by hand because a broken one is the caller's fault,
// which the call for a single message would report as ours.
impl StreamingService<ListenUpdatesRequest> for ListenUpdates {
    type Response = ListenUpdatesResponse;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<ListenUpdatesRequest>>) -> Self::Future {
        let (app, actor, until) = (self.app.clone(), self.actor.clone(), self.until.take());
        async move {
            let ListenUpdatesRequest { last_event_id, fleet } = only_message(request).await?;
            let reach = if fleet { Reach::Fleet } else { Reach::Own };
            let (after, heard) = listen(&app, &actor, reach, last_event_id)
                .await
                .map_err(|error| status::of(&ApiError::from(error)))?;
            Ok(Response::new(answers(after, heard, until).boxed()))
        }
        .boxed()
    }
}

async fn only_message(
    request: Request<Streaming<ListenUpdatesRequest>>,
) -> Result<ListenUpdatesRequest, Status> {
    let mut messages = request.into_inner();
    let both = async {
        let message = messages.message().await?;
        match (message, messages.message().await?) {
            (Some(message), None) => Ok(message),
            (None, _) => Err(Status::invalid_argument("the call has no message")),
            (Some(_), Some(_)) => Err(Status::invalid_argument("the call has several messages")),
        }
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, both).await {
        Ok(Ok(message)) => Ok(message),
        // It says which compressions there are: none.
        Ok(Err(unknown)) if unknown.code() == Code::Unimplemented => Err(unknown),
        Ok(Err(broken)) => {
            let detail = broken.message().to_owned();
            let error = ApiError::new(StatusCode::BAD_REQUEST, "invalid_message", detail);
            Err(status::of(&error))
        }
        Err(_elapsed) => {
            let detail = format!("no message arrived within {} s", REQUEST_TIMEOUT.as_secs());
            let error = ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail);
            Err(status::of(&error))
        }
    }
}

/// What the client gets: first its place, then events, between them signs of life.
fn answers(
    after: i64,
    heard: impl Stream<Item = Heard> + Send + 'static,
    until: Option<Until>,
) -> impl Stream<Item = Result<ListenUpdatesResponse, Status>> + Send + 'static {
    let over = async {
        match until {
            Some(until) => until.over().await,
            None => future::pending().await,
        }
    };
    let first = stream::once(future::ready(Ok(ListenUpdatesResponse::place(after))));
    let open = Some((heard.boxed(), over.boxed()));
    let rest = stream::unfold(open, |open| async {
        let (mut heard, mut over) = open?;
        let next = tokio::select! {
            biased;
            () = &mut over => return Some((Err(stopping()), None)),
            next = tokio::time::timeout(KEEP_ALIVE_INTERVAL, heard.next()) => next,
        };
        match next {
            Ok(Some(Heard { id, kind, body, .. })) => {
                let event = ListenUpdatesResponse::event(id, &kind, &body);
                Some((Ok(event), Some((heard, over))))
            }
            Ok(None) => Some((Err(ended()), None)),
            Err(_elapsed) => Some((Ok(ListenUpdatesResponse::sign_of_life()), Some((heard, over)))),
        }
    });
    first.chain(rest)
}

fn stopping() -> Status {
    let detail = "the server is stopping; listen again";
    status::of(&ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail))
}

/// The credential does not hold any more, or allows something else now: the next call will say.
fn ended() -> Status {
    let detail = "the stream has ended; listen again";
    status::of(&ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stream_ended", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Draining;

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_events_lives() {
        let mut answers = answers(7, stream::pending(), None).boxed();
        let first = answers.next().await.unwrap().unwrap();
        assert_eq!(first, ListenUpdatesResponse::place(7));
        for _ in 0..3 {
            let began_at = tokio::time::Instant::now();
            let next = answers.next().await.unwrap().unwrap();
            assert_eq!(next, ListenUpdatesResponse::sign_of_life());
            assert_eq!(began_at.elapsed(), KEEP_ALIVE_INTERVAL);
        }
    }

    #[tokio::test]
    async fn a_listener_that_drains_ends_it_with_a_reason() {
        let (begin, draining) = Draining::by_hand();
        begin.send_replace(true);
        let until = Some(Until(Some(draining)));
        let answers: Vec<_> = answers(7, stream::pending(), until).collect().await;
        assert_eq!(answers[1].as_ref().unwrap_err().code(), Code::Unavailable);
        assert_eq!(answers.len(), 2);
    }
}
