//! Load: many connections, each with some requests open at any time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::client::Client;
use super::outcome::Outcome;

/// Requests that each connection keeps open.
const IN_FLIGHT: usize = 10;

/// Left out of the count, so that caches are warm and every connection works.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A durable update of a thing's shadow, answered on `update/accepted`.
    ShadowUpdate,
    /// A message that only passes through the broker, back to its sender.
    Echo,
}

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) request: Request,
    pub(crate) duration: Duration,
}

/// An open connection, and the things it asks about in turn.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) things: Vec<String>,
}

impl Load {
    /// Runs it over connections that are open.
    pub(crate) async fn run(self, connections: Vec<Connection>) -> Result<Outcome> {
        let together = Arc::new(Barrier::new(connections.len()));
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn(self.work(connection, together.clone()));
        }
        let mut waited = Vec::new();
        while let Some(done) = tasks.join_next().await {
            waited.extend(done??);
        }
        Outcome::of(waited, self.duration)
    }

    /// Waiting times of the requests that one connection had answered within the duration.
    async fn work(self, connection: Connection, together: Arc<Barrier>) -> Result<Vec<Duration>> {
        let Connection { client, things } = connection;
        let mut asker = Asker::new(self.request, client, &things).await?;
        together.wait().await;
        let begin = Instant::now() + WARM_UP;
        let end = begin + self.duration;
        let mut waited = Vec::new();
        for _ in 0..IN_FLIGHT {
            asker.ask().await?;
        }
        while asker.flush().await? {
            for (asked, answered) in asker.answers().await? {
                if (begin..end).contains(&answered) {
                    waited.push(answered - asked);
                }
                if answered < end {
                    asker.ask().await?;
                }
            }
        }
        Ok(waited)
    }
}

/// One connection at work.
struct Asker {
    request: Request,
    client: Client,
    topics: Vec<Topics>,
    asked: usize,
    /// What was asked and not yet answered, oldest first: whose, and when.
    open: VecDeque<(usize, Instant)>,
}

/// Where a thing's requests go, and where they are answered.
struct Topics {
    ask: ByteString,
    answered: String,
    refused: String,
}

impl Asker {
    async fn new(request: Request, mut client: Client, things: &[String]) -> Result<Asker> {
        let topics: Vec<Topics> = things.iter().map(|thing| request.topics(thing)).collect();
        let filters = topics.iter().flat_map(|topics| [&topics.answered, &topics.refused]);
        client.subscribe(&filters.map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(Asker { request, client, topics, asked: 0, open: VecDeque::new() })
    }

    /// Puts one request into the buffer.
    async fn ask(&mut self) -> Result<()> {
        let nth = self.asked % self.topics.len();
        self.client.feed(&self.topics[nth].ask, self.request.payload(self.asked)).await?;
        self.open.push_back((nth, Instant::now()));
        self.asked += 1;
        Ok(())
    }

    /// Sends what is in the buffer; whether anything is still open.
    async fn flush(&mut self) -> Result<bool> {
        self.client.flush().await?;
        Ok(!self.open.is_empty())
    }

    /// The next answer and those that have arrived with it: when asked, when answered.
    async fn answers(&mut self) -> Result<Vec<(Instant, Instant)>> {
        let mut answers = Vec::new();
        let mut next = Some(self.client.message().await?);
        while let Some(message) = next {
            let (nth, asked) = self.open.pop_front().context("an answer to nothing")?;
            let is_answer = *message.topic == *self.topics[nth].answered;
            ensure!(is_answer, "{} says {:?}", message.topic, message.payload);
            answers.push((asked, Instant::now()));
            next = self.client.waiting_message().await?;
        }
        Ok(answers)
    }
}

impl Request {
    fn topics(self, thing: &str) -> Topics {
        let ask = match self {
            Request::ShadowUpdate => format!("$aws/things/{thing}/shadow/update"),
            Request::Echo => format!("bench/{thing}"),
        };
        let answered = match self {
            Request::ShadowUpdate => format!("{ask}/accepted"),
            Request::Echo => ask.clone(),
        };
        Topics { refused: format!("{ask}/rejected"), ask: ask.into(), answered }
    }

    fn payload(self, nth: usize) -> Bytes {
        let payload = format!(
            r#"{{"state":{{"reported":{{"config":{{"phrase_type":"haiku","brightness":{nth}}}}}}}}}"#
        );
        payload.into()
    }
}
