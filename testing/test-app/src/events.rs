use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use serde_json::Value;
use tokio_stream::StreamExt;

/// Longer than any event takes; a test that waits for one that never comes ends here.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open event stream.
pub struct Events {
    pieces: BodyDataStream,
    unread: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where to resume; byte ticks have none.
    pub id: Option<String>,
    /// What happened.
    pub kind: String,
    /// About what.
    pub body: Value,
}

impl Events {
    pub(crate) fn new(body: Body) -> Events {
        Events { pieces: body.into_data_stream(), unread: String::new() }
    }

    /// The next event; comments and the retry time are passed over.
    pub async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.read());
        next.await.expect("an event within the time").expect("the stream goes on")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
            }
            let piece = self.pieces.next().await?.expect("the stream is not cut");
            self.unread.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let field =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let body = serde_json::from_str(field("data")?).expect("events are JSON");
    Some(Event { id: field("id").map(str::to_owned), kind: field("event")?.to_owned(), body })
}
