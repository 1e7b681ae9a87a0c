//! Messages at an even pace, whatever becomes of them.
//!
//! Each waits from the moment at which it was due: what comes late because the one before it
//! was slow counts as late.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use bytestring::ByteString;
use otaru_wire::Namespace;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, spawn_blocking};

use super::client::Client;
use super::outcome::Outcome;

/// How many are sent each second.
pub(crate) const PER_S: u32 = 1_000;
const EVERY: Duration = Duration::from_nanos(1_000_000_000 / PER_S as u64);

/// Left out of the count.
const WARM_UP: Duration = Duration::from_secs(1);
const DURATION: Duration = Duration::from_secs(4);

/// Until the first is due: everybody must be ready.
const LEAD: Duration = Duration::from_millis(200);

/// What has not arrived so long after the last was sent never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is sent, and what each receiver hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An update of what is desired: the device hears the delta, after the commit.
    Delta,
    /// A message that only passes through the broker.
    Passing,
}

/// A device that listens.
pub(crate) struct Receiver {
    pub(crate) client: Client,
    pub(crate) thing: String,
}

/// Sends for a while, to one receiver after the other. Everything arrives, or it is an error.
pub(crate) async fn run(kind: Kind, sender: Client, receivers: Vec<Receiver>) -> Result<Outcome> {
    let sends = |time: Duration| (time.as_secs() as u32 * PER_S) as u64;
    let count = sends(WARM_UP + DURATION);
    // Numbers that no run before had: a device is told again what is still open.
    let first = std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64 * u64::from(PER_S);
    let numbers = first..first + count;

    let topics: Vec<ByteString> =
        receivers.iter().map(|receiver| kind.sent(&receiver.thing).into()).collect();
    let mut hearing = JoinSet::new();
    for (nth, mut receiver) in receivers.into_iter().enumerate() {
        receiver.client.subscribe(&[&kind.heard(&receiver.thing)]).await?;
        let own = numbers.clone().skip(nth).step_by(topics.len()).count();
        hearing.spawn(hear(receiver.client, numbers.clone(), own));
    }
    let begin = Instant::now() + LEAD;
    let (due, is_due) = unbounded_channel();
    let pacer = spawn_blocking(move || pace(begin, numbers, &due));
    let sending = tokio::spawn(send(kind, sender, topics, first, is_due));
    pacer.await?;
    // Kept until all is heard: it would otherwise be closed.
    let _sender = sending.await??;

    let mut waited = Vec::new();
    let all_heard = async {
        while let Some(heard) = hearing.join_next().await {
            for (number, at) in heard?? {
                let nth = number - first;
                if nth >= sends(WARM_UP) {
                    waited.push(at.saturating_duration_since(begin + EVERY * nth as u32));
                }
            }
        }
        Result::<()>::Ok(())
    };
    tokio::time::timeout(PATIENCE, all_heard).await.context("not everything arrived")??;
    Outcome::of(waited, DURATION)
}

/// Says when each is due. A thread, because the runtime's timers only know milliseconds.
fn pace(begin: Instant, numbers: Range<u64>, due: &UnboundedSender<u64>) {
    for (nth, number) in (0_u32..).zip(numbers) {
        let at = begin + EVERY * nth;
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if due.send(number).is_err() {
            return;
        }
    }
}

async fn send(
    kind: Kind,
    mut client: Client,
    topics: Vec<ByteString>,
    first: u64,
    mut due: UnboundedReceiver<u64>,
) -> Result<Client> {
    while let Some(number) = due.recv().await {
        let nth = (number - first) as usize % topics.len();
        client.feed(&topics[nth], kind.payload(number)).await?;
        client.flush().await?;
        // Takes the acknowledgements that have come.
        client.waiting_message().await?;
    }
    Ok(client)
}

/// Which numbers arrive, and when.
async fn hear(
    mut client: Client,
    numbers: Range<u64>,
    count: usize,
) -> Result<Vec<(u64, Instant)>> {
    let mut heard = Vec::with_capacity(count);
    while heard.len() < count {
        let message = client.message().await?;
        let at = Instant::now();
        client.flush().await?;
        let number = number(&message.payload);
        heard.extend(number.filter(|number| numbers.contains(number)).map(|number| (number, at)));
    }
    Ok(heard)
}

impl Kind {
    fn sent(self, thing: &str) -> String {
        match self {
            Kind::Delta => format!("$aws/things/{thing}/shadow/update"),
            Kind::Passing => self.heard(thing),
        }
    }

    fn heard(self, thing: &str) -> String {
        match self {
            Kind::Delta => format!("$aws/things/{thing}/shadow/update/delta"),
            Kind::Passing => format!("{}/things/{thing}/passing", Namespace::DEFAULT_NAME),
        }
    }

    fn payload(self, number: u64) -> Bytes {
        let wish = format!(r#"{{"config":{{"brightness":{number}}}}}"#);
        let payload = match self {
            Kind::Delta => format!(r#"{{"state":{{"desired":{wish}}}}}"#),
            Kind::Passing => format!(r#"{{"state":{wish}}}"#),
        };
        payload.into()
    }
}

/// The number in a delta, or in what passed through.
fn number(payload: &[u8]) -> Option<u64> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    message.pointer("/state/config/brightness")?.as_u64()
}
