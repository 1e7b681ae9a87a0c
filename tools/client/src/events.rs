use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Method, Response, header};
use serde_json::Value;

use crate::sse::{Message, Parser};
use crate::{Client, ClientError};

/// How long to wait before connecting again: what the server's `retry` says too.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// Something that happened on the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the log; byte ticks have none.
    pub id: Option<String>,
    /// `update_changed`, `update_finished`, `device_online`, …
    pub kind: String,
    /// What it is about.
    pub body: Value,
}

/// Follows the server's events for as long as it is asked.
///
/// A broken connection is made again and resumes after the last event that
/// had an id, so none of those is lost.
pub struct Events {
    client: Client,
    path: &'static [&'static str],
    last_id: Option<String>,
    connection: Option<(Response, Parser)>,
    waiting: VecDeque<Event>,
}

impl Client {
    /// Listens to the events of the organisation, from after event `after` or from now on.
    ///
    /// When this returns the server is listening: nothing that happens from then on is missed.
    pub async fn listen(&self, after: Option<String>) -> Result<Events, ClientError> {
        self.listen_at(&["api", "v1", "listen"], after).await
    }

    /// As [`Client::listen`], to what concerns the token's person and their devices.
    pub async fn listen_to_own(&self, after: Option<String>) -> Result<Events, ClientError> {
        self.listen_at(&["app", "listen"], after).await
    }

    async fn listen_at(
        &self,
        path: &'static [&'static str],
        after: Option<String>,
    ) -> Result<Events, ClientError> {
        let mut events = Events {
            client: self.clone(),
            path,
            last_id: after,
            connection: None,
            waiting: VecDeque::new(),
        };
        events.connect().await?;
        Ok(events)
    }
}

impl Events {
    /// The next event.
    ///
    /// # Errors
    /// Only when the server refuses to go on, for example because the token was revoked;
    /// a server that is away is waited for. Cancelling this loses nothing.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                return Ok(event);
            }
            let Some((response, parser)) = &mut self.connection else {
                tokio::time::sleep(RECONNECT_DELAY).await;
                match self.connect().await {
                    Err(ClientError::Refused(problem)) if problem.status < 500 => {
                        return Err(ClientError::Refused(problem));
                    }
                    _ => continue,
                }
            };
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let mut messages = Vec::new();
                    parser.push(&bytes, &mut messages);
                    self.waiting.extend(messages.into_iter().map(event));
                }
                Ok(None) | Err(_) => self.connection = None,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let mut request =
            self.client.request(Method::GET, self.path).header(header::ACCEPT, "text/event-stream");
        if let Some(id) = &self.last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = self.client.send(request).await?;
        self.connection = Some((response, Parser::default()));
        Ok(())
    }
}

fn event(message: Message) -> Event {
    let Message { id, kind, data } = message;
    let body = serde_json::from_str(&data).unwrap_or(Value::String(data));
    Event { id, kind, body }
}
