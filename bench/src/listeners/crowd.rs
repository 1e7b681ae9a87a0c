//! Many listeners at once, each a task that tells what happens to it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::connect::Target;
use super::{grpc, mqtt, sse};

/// Connections being opened at a time.
const AT_ONCE: usize = 64;

/// Without news for so long, something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a listener listens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Sse,
    Grpc,
    Mqtt,
}

/// What a listener tells.
pub(crate) enum News {
    /// Its stream is open.
    Listening,
    /// An event has come.
    Heard(Instant),
    /// Its stream is broken or has ended.
    Lost(anyhow::Error),
}

/// Where listeners tell it.
pub(crate) type Teller = UnboundedSender<News>;

pub(crate) struct Crowd {
    protocol: Protocol,
    target: Target,
    teller: Teller,
    news: UnboundedReceiver<News>,
    listening: usize,
    tasks: JoinSet<()>,
}

impl Crowd {
    pub(crate) fn new(protocol: Protocol, target: Target) -> Crowd {
        let (teller, news) = unbounded_channel();
        Crowd { protocol, target, teller, news, listening: 0, tasks: JoinSet::new() }
    }

    /// Opens more listeners, until there are so many.
    pub(crate) async fn grow_to(&mut self, size: usize) -> Result<()> {
        let mut opening = 0;
        while self.listening < size {
            while opening < AT_ONCE && self.listening + opening < size {
                self.spawn();
                opening += 1;
            }
            match self.next().await? {
                News::Listening => {
                    opening -= 1;
                    self.listening += 1;
                }
                News::Heard(_) => bail!("a listener heard what nobody said"),
                News::Lost(error) => return Err(error.context("a listener was lost")),
            }
        }
        Ok(())
    }

    /// Waits until each has heard one event; answers when the last one did.
    pub(crate) async fn all_hear(&mut self) -> Result<Instant> {
        let mut last = None;
        for heard in 0..self.listening {
            let news = self.next().await;
            match news.with_context(|| format!("{heard} of {} have heard", self.listening))? {
                News::Heard(at) => last = last.max(Some(at)),
                News::Listening => bail!("a listener came late"),
                News::Lost(error) => return Err(error.context("a listener was lost")),
            }
        }
        last.context("nobody listens")
    }

    /// Nobody has heard anything twice, and nobody was lost.
    pub(crate) fn check_silence(&mut self) -> Result<()> {
        ensure!(self.news.is_empty(), "somebody heard an event twice, or was lost");
        ensure!(self.tasks.len() == self.listening, "somebody left");
        Ok(())
    }

    fn spawn(&mut self) {
        let (protocol, target, teller) = (self.protocol, self.target.clone(), self.teller.clone());
        self.tasks.spawn(async move {
            let listened = match protocol {
                Protocol::Sse => sse::listen(&target, &teller).await,
                Protocol::Grpc => grpc::listen(&target, &teller).await,
                Protocol::Mqtt => mqtt::listen(&target, &teller).await,
            };
            let error = listened.err().unwrap_or_else(|| anyhow::anyhow!("the stream ended"));
            // The crowd may be gone.
            let _ = teller.send(News::Lost(error));
        });
    }

    async fn next(&mut self) -> Result<News> {
        let news = tokio::time::timeout(PATIENCE, self.news.recv()).await;
        news.context("no news within a minute")?.context("the crowd holds a sender")
    }
}
