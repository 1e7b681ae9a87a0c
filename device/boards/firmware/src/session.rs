//! A session with the broker, again and again.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::semaphore::{GreedySemaphore, Semaphore, SemaphoreReleaser};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use otaru_wire::Reason;

use crate::link::{self, SILENCE_LIMIT, Tls};
use crate::mqtt::{self, Heard, Length, PACKET_BYTES_MAX};
use crate::{Buttons, Net};

/// The first wait for another try, and the longest.
const AGAIN_AFTER_MS: u64 = 500;
const AGAIN_AT_MOST_MS: u64 = 60_000;
/// How often something is said where there is nothing to say.
const PING_EVERY: Duration = Duration::from_secs(25);
/// A broker that says nothing for so long is gone: it answers to pings.
const DEAF_AFTER: Duration = Duration::from_secs(60);
/// Bytes that may wait for the agent: a broker that has more to say is kept waiting.
const NEWS_BYTES_MAX: usize = PACKET_BYTES_MAX + 4096;
/// Bytes that may wait for the broker.
const SAY_BYTES_MAX: usize = 16 * 1024;

/// Memory that is given back when what was in it is dropped.
pub type Room = SemaphoreReleaser<'static, Rooms>;
type Rooms = GreedySemaphore<CriticalSectionRawMutex>;

/// What the agent hears of the session.
pub enum News {
    /// The broker accepted it.
    Up,
    /// It is over, for this reason where one is known.
    Down(Option<Reason>),
    /// Every topic was granted.
    Subscribed,
    /// A message came.
    Message {
        /// On which topic.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
        /// Its place among what waits.
        room: Room,
    },
}

/// What the agent wants said.
#[derive(Debug)]
pub enum Say {
    /// One SUBSCRIBE.
    Subscribe(Vec<String>),
    /// A message.
    Publish {
        /// To which topic.
        topic: String,
        /// What it says.
        payload: Vec<u8>,
        /// Whether it has to be acknowledged.
        at_least_once: bool,
    },
    /// The session ends.
    Disconnect,
}

/// Between the tasks. What has no room is lost, as on a bad link: the agent says it again.
pub struct Lines {
    /// To the agent.
    pub(crate) news: Channel<CriticalSectionRawMutex, News, 8>,
    news_room: Rooms,
    /// From the agent.
    said: Channel<CriticalSectionRawMutex, (Say, Room), 12>,
    say_room: Rooms,
    /// To the agent, from the product's own tasks.
    pub buttons: Buttons,
}

impl Lines {
    /// Nothing said yet.
    pub const fn new() -> Lines {
        Lines {
            news: Channel::new(),
            news_room: Rooms::new(NEWS_BYTES_MAX),
            said: Channel::new(),
            say_room: Rooms::new(SAY_BYTES_MAX),
            buttons: Buttons::new(),
        }
    }

    /// A message that has no room is one that was lost: the agent says it again.
    pub(crate) fn say(&'static self, say: Say) {
        let bytes = if let Say::Publish { payload, .. } = &say { payload.len() } else { 0 };
        if let Some(room) = self.say_room.try_acquire(bytes) {
            let _ = self.said.try_send((say, room));
        }
    }

    /// Whether all that was said is on its way.
    pub(crate) fn is_all_said(&self) -> bool {
        self.said.is_empty()
    }
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::new()
    }
}

/// Why a session is over.
struct Over(Option<Reason>);

/// Keeps a session for ever.
pub async fn run(net: Net, lines: &'static Lines) -> ! {
    let mut wait_ms = AGAIN_AFTER_MS;
    loop {
        let begin = Instant::now();
        let (broker, down) = (&net.identity.mqtt, Reason::BrokerUnreachable);
        let mut alone = link::Alone;
        let talked = link::with(&net, broker, down, &mut alone, async |tls, _: &mut _| {
            talk(tls, &net, lines).await
        });
        let (reason, was_up) = match talked.await {
            Ok(Ok(Over(reason))) => (reason, true),
            Ok(Err(reason)) | Err(reason) => (Some(reason), false),
        };
        lines.news.send(News::Down(reason)).await;
        wait_ms = match was_up && begin.elapsed() > DEAF_AFTER {
            true => AGAIN_AFTER_MS,
            false => (wait_ms * 2).min(AGAIN_AT_MOST_MS),
        };
        // Somewhere between half of it and all of it: no two devices come back at once.
        let spread_ms = wait_ms / 2 + net.random_word() % (wait_ms / 2 + 1);
        Timer::after_millis(spread_ms).await;
    }
}

/// One session, from CONNECT to its end.
async fn talk(tls: &mut Tls<'_>, net: &Net, lines: &'static Lines) -> Result<Over, Reason> {
    let (reader, writer) = tls.split();
    let (mut reader, mut writer) = (Packets(reader, &lines.news_room), writer);
    let down = Reason::BrokerUnreachable;
    let hello = mqtt::connect(net.identity.thing.as_str());
    write(&mut writer, &hello).await.ok_or(down)?;
    // TLS says nothing of a certificate that the broker does not take: only this answer does.
    match with_timeout(SILENCE_LIMIT, reader.next()).await {
        Ok(Some((Heard::Connected(0), _))) => {}
        _ => return Err(down),
    }
    // What was to be said in another session is not said in this one.
    lines.said.clear();
    lines.news.send(News::Up).await;
    let acknowledgements = Channel::<CriticalSectionRawMutex, u16, 8>::new();
    let heard = hear(&mut reader, lines, &acknowledgements);
    let said = say(&mut writer, lines, &acknowledgements);
    Ok(match select(heard, said).await {
        Either::First(over) | Either::Second(over) => over,
    })
}

async fn hear<R: Read>(
    reader: &mut Packets<R>,
    lines: &Lines,
    acknowledgements: &Channel<CriticalSectionRawMutex, u16, 8>,
) -> Over {
    loop {
        let Ok(Some((heard, room))) = with_timeout(DEAF_AFTER, reader.next()).await else {
            return Over(None);
        };
        match heard {
            Heard::Message { topic, payload, packet } => {
                lines.news.send(News::Message { topic, payload, room }).await;
                if let Some(packet) = packet {
                    acknowledgements.send(packet).await;
                }
            }
            Heard::Subscribed(true) => lines.news.send(News::Subscribed).await,
            Heard::Subscribed(false) | Heard::Ended | Heard::Connected(_) => return Over(None),
            Heard::Alive => {}
        }
    }
}

async fn say<W: Write>(
    writer: &mut W,
    lines: &Lines,
    acknowledgements: &Channel<CriticalSectionRawMutex, u16, 8>,
) -> Over {
    let mut number: u16 = 0;
    // Whatever else is said: a message without acknowledgement is answered by nobody.
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        let next = select3(acknowledgements.receive(), lines.said.receive(), Timer::at(ping_at));
        let (packet, is_last) = match next.await {
            Either3::First(packet) => (mqtt::acknowledge(packet), false),
            Either3::Second((Say::Disconnect, _)) => (mqtt::disconnect(), true),
            Either3::Second((Say::Subscribe(topics), _)) => {
                number = number.checked_add(1).unwrap_or(1);
                (mqtt::subscribe(number, &topics), false)
            }
            Either3::Second((Say::Publish { topic, payload, at_least_once }, _)) => {
                number = number.checked_add(1).unwrap_or(1);
                (mqtt::publish(&topic, &payload, at_least_once.then_some(number)), false)
            }
            Either3::Third(()) => {
                ping_at = Instant::now() + PING_EVERY;
                (mqtt::ping(), false)
            }
        };
        if write(writer, &packet).await.is_none() || is_last {
            return Over(None);
        }
    }
}

async fn write<W: Write>(writer: &mut W, packet: &[u8]) -> Option<()> {
    let written = async {
        writer.write_all(packet).await.ok()?;
        writer.flush().await.ok()
    };
    with_timeout(SILENCE_LIMIT, written).await.ok()?
}

/// Packets as they come in.
struct Packets<R>(R, &'static Rooms);

impl<R: Read> Packets<R> {
    /// The next one; nothing at the end of all, or behind nonsense.
    async fn next(&mut self) -> Option<(Heard, Room)> {
        let first = self.byte().await?;
        let mut length = Length::new();
        let length = loop {
            if let Some(length) = length.take(self.byte().await?)? {
                break length;
            }
        };
        if length > PACKET_BYTES_MAX {
            return None;
        }
        let Ok(room) = self.1.acquire(length).await;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((mqtt::read(first, body)?, room))
    }

    async fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte).await.ok()?;
        Some(byte[0])
    }
}

/// Why a session is over, for the log.
pub(crate) fn words(reason: Option<Reason>) -> String {
    match reason {
        Some(reason) => format!("no session with the broker ({reason})"),
        None => String::from("the session with the broker is over"),
    }
}
