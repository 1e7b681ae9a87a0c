//! Load: many connections, each with some requests open at any time.

use super::client::Client;
use anyhow::{Result, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Left out of the count, so that caches are warm and every connection works.
const WARM_UP: Duration = Duration::from_secs(2);

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
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) duration: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests answered per second.
    pub(crate) per_s: f64,
    /// From request to answer.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Load {
    /// Runs it against a plain listener.
    pub(crate) async fn run(self, address: SocketAddr) -> Result<Outcome> {
        let mut clients = Vec::new();
        for nth in 0..self.connections {
            clients.push(Client::plain(address, &format!("load-{nth}")).await?);
        }
        self.run_over(clients).await
    }

    /// Runs it over connections that are open; the nth is that of the thing `load-<n>`.
    pub(crate) async fn run_over(self, clients: Vec<Client>) -> Result<Outcome> {
        let together = Arc::new(Barrier::new(clients.len()));
        let mut tasks = JoinSet::new();
        for (nth, client) in clients.into_iter().enumerate() {
            tasks.spawn(self.work(client, format!("load-{nth}"), together.clone()));
        }
        let mut waited = Vec::new();
        while let Some(done) = tasks.join_next().await {
            waited.extend(done??);
        }
        ensure!(!waited.is_empty(), "no request was answered");
        waited.sort_unstable();
        let at = |per_cent: usize| waited[(waited.len() - 1) * per_cent / 100];
        let per_s = waited.len() as f64 / self.duration.as_secs_f64();
        Ok(Outcome { per_s, p50: at(50), p99: at(99) })
    }

    /// Waiting times of the requests that one connection had answered within the duration.
    async fn work(
        self,
        mut client: Client,
        thing: String,
        together: Arc<Barrier>,
    ) -> Result<Vec<Duration>> {
        let (ask, answered, refused) = self.request.topics(&thing);
        client.subscribe(&[&answered, &refused]).await?;
        together.wait().await;
        let begin = Instant::now() + WARM_UP;
        let end = begin + self.duration;
        let (mut open, mut waited, mut nth) = (VecDeque::new(), Vec::new(), 0_u64);
        for _ in 0..self.in_flight {
            client.feed(&ask, self.request.payload(nth)).await?;
            open.push_back(Instant::now());
            nth += 1;
        }
        client.flush().await?;
        while !open.is_empty() {
            let mut next = Some(client.message().await?);
            while let Some(message) = next {
                ensure!(
                    *message.topic == *answered,
                    "a request was refused: {:?}",
                    message.payload
                );
                let asked = open.pop_front();
                let now = Instant::now();
                if let Some(asked) = asked.filter(|_| (begin..end).contains(&now)) {
                    waited.push(now - asked);
                }
                if now < end {
                    client.feed(&ask, self.request.payload(nth)).await?;
                    open.push_back(now);
                    nth += 1;
                }
                next = client.waiting_message().await?;
            }
            client.flush().await?;
        }
        Ok(waited)
    }
}

impl Request {
    /// Where it is asked, answered and refused.
    fn topics(self, thing: &str) -> (ByteString, String, String) {
        match self {
            Request::ShadowUpdate => {
                let update = format!("$aws/things/{thing}/shadow/update");
                (update.clone().into(), format!("{update}/accepted"), format!("{update}/rejected"))
            }
            Request::Echo => {
                let echo = format!("bench/{thing}");
                (echo.clone().into(), echo, format!("bench/{thing}/refused"))
            }
        }
    }

    fn payload(self, nth: u64) -> Bytes {
        let payload = format!(
            r#"{{"state":{{"reported":{{"config":{{"phrase_type":"haiku","brightness":{nth}}}}}}}}}"#
        );
        payload.into()
    }
}
