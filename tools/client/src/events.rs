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
/// had an id, or where the stream began, so none of those is lost.
pub struct Events {
    client: Client,
    path: &'static [&'static str],
    last_id: Option<String>,
    connection: Option<(Response, Parser)>,
    waiting: VecDeque<Message>,
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
        // The server begins with the place it listens from. A stream that broke before it
        // was known would go on from wherever the log is by then.
        while events.last_id.is_none() && events.waiting.is_empty() {
            events.receive().await.map_err(|source| events.client.unreachable(source))?;
            if events.connection.is_none() {
                return Err(events.client.answer("the event stream ended before it began"));
            }
        }
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
            while let Some(message) = self.waiting.pop_front() {
                if message.id.is_some() {
                    self.last_id.clone_from(&message.id);
                }
                if let Some(event) = event(message) {
                    return Ok(event);
                }
            }
            if self.connection.is_some() {
                // Why it broke does not matter: it is made again.
                let _ = self.receive().await;
                continue;
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
            match self.connect().await {
                Err(ClientError::Refused(problem)) if problem.status < 500 => {
                    return Err(ClientError::Refused(problem));
                }
                _ => {}
            }
        }
    }

    /// Takes what the connection brings next; drops it when it has ended or is broken.
    async fn receive(&mut self) -> Result<(), reqwest::Error> {
        let Some((response, parser)) = &mut self.connection else { return Ok(()) };
        let received = response.chunk().await;
        match &received {
            Ok(Some(bytes)) => {
                let mut messages = Vec::new();
                parser.push(bytes, &mut messages);
                self.waiting.extend(messages);
            }
            Ok(None) | Err(_) => self.connection = None,
        }
        received.map(drop)
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

fn event(message: Message) -> Option<Event> {
    let Message { id, kind, data } = message;
    let data = data?;
    let body = serde_json::from_str(&data).unwrap_or(Value::String(data));
    Some(Event { id, kind, body })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::ClientOptions;

    /// Answers one request with a stream that breaks off, and returns the request's head.
    async fn answer_once(listener: &TcpListener, events: &str) -> String {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}"
        );
        connection.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap().to_lowercase()
    }

    #[tokio::test]
    async fn broken_stream_resumes_after_the_last_event_with_an_id() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ClientOptions {
            server: format!("http://{}", listener.local_addr().unwrap()),
            token: Some("secret".to_owned()),
            ca_pem: None,
        };
        let server = tokio::spawn(async move {
            let first = "id: 4\nevent: update_changed\ndata: {\"done\":1}\n\ndata: {\"done\":2}\n\ndata: lost";
            let first = answer_once(&listener, first).await;
            (first, answer_once(&listener, "id: 5\ndata: {}\n\n").await)
        });
        let mut events = Client::new(&options).unwrap().listen(None).await.unwrap();
        let ids = [
            events.next().await.unwrap().id,
            events.next().await.unwrap().id,
            events.next().await.unwrap().id,
        ];
        assert_eq!(ids, [Some("4".to_owned()), None, Some("5".to_owned())]);
        let (first, second) = server.await.unwrap();
        assert!(first.contains("authorization: bearer secret"), "{first}");
        assert!(!first.contains("last-event-id"), "{first}");
        assert!(second.contains("last-event-id: 4"), "{second}");
    }

    #[tokio::test]
    async fn stream_that_breaks_before_its_first_event_resumes_where_it_began() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ClientOptions {
            server: format!("http://{}", listener.local_addr().unwrap()),
            ..ClientOptions::default()
        };
        let server = tokio::spawn(async move {
            answer_once(&listener, "id: 3\nretry: 2000\n: listening\n\n").await;
            answer_once(&listener, "id: 4\ndata: {}\n\n").await
        });
        let mut events = Client::new(&options).unwrap().listen(None).await.unwrap();
        assert_eq!(events.next().await.unwrap().id.as_deref(), Some("4"));
        let second = server.await.unwrap();
        assert!(second.contains("last-event-id: 3"), "{second}");
    }

    #[tokio::test]
    async fn stream_that_ends_before_it_says_where_it_begins_is_no_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = ClientOptions {
            server: format!("http://{}", listener.local_addr().unwrap()),
            ..ClientOptions::default()
        };
        tokio::spawn(async move { answer_once(&listener, ": listening\n\n").await });
        let listened = Client::new(&options).unwrap().listen(None).await;
        assert!(matches!(listened, Err(ClientError::Answer { .. })));
    }
}
