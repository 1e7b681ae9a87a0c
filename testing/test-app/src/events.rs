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
    last_id: Option<String>,
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
        Events { pieces: body.into_data_stream(), unread: String::new(), last_id: None }
    }

    /// Where a client that reads no further would resume, as browsers know it.
    pub async fn place(&mut self) -> String {
        while self.last_id.is_none() {
            let block = tokio::time::timeout(PATIENCE, self.block());
            block.await.expect("a frame within the time").expect("the stream goes on");
        }
        self.last_id.clone().expect("the loop waits for it")
    }

    /// The next event; comments and the retry time are passed over.
    pub async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.read());
        next.await.expect("an event within the time").expect("the stream goes on")
    }

    /// Waits until the server ends the stream; whatever still comes is passed over.
    pub async fn ended(&mut self) {
        let ended = async { while self.block().await.is_some() {} };
        tokio::time::timeout(PATIENCE, ended).await.expect("an end within the time");
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = parse(&self.block().await?) {
                return Some(event);
            }
        }
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                self.last_id = field(&block, "id").map(str::to_owned).or(self.last_id.take());
                return Some(block);
            }
            let piece = self.pieces.next().await?.expect("the stream is not cut");
            self.unread.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let body = serde_json::from_str(field(block, "data")?).expect("events are JSON");
    let id = field(block, "id").map(str::to_owned);
    Some(Event { id, kind: field(block, "event")?.to_owned(), body })
}

fn field<'b>(block: &'b str, name: &str) -> Option<&'b str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
