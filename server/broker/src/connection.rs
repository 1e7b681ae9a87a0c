//! What the broker remembers of one connection, attached to rmqtt's session.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use otaru_wire::SubscriptionEvent;
use otaru_wire::payload::DisconnectReason;
use rmqtt::session::Session as MqttSession;
use tokio::sync::Semaphore;

use crate::resend::Repeats;
use crate::{Session, Turn};

/// How many requests of one client may be unanswered. With 128 messages in
/// flight and the queues of `listeners`, none of 20,000 replies was lost at
/// this number; either limit alone lost some.
const TURNS: usize = 400;

/// Where rmqtt's session keeps it.
const ATTRIBUTE: &str = "otaru.connection";

/// Filters of one packet, and what became of them.
type Gathered = Option<(SubscriptionEvent, Vec<String>)>;

/// What [`Connection::gather`] has found.
pub(crate) struct Gathering {
    /// Filters of an earlier packet of the other kind, which are to be told now.
    pub(crate) finished: Gathered,
    /// Whether somebody has to look for what is gathered.
    pub(crate) is_first: bool,
}

/// One connection, from before its CONNACK to its end.
pub(crate) struct Connection {
    /// What the service knows of it.
    pub(crate) session: Arc<Session>,
    /// `principalIdentifier` of its presence events.
    pub(crate) principal_id: String,
    turns: Arc<Semaphore>,
    repeats: Mutex<Repeats>,
    gathered: Mutex<Gathered>,
    /// Why we end it, if we do.
    closed_because: OnceLock<DisconnectReason>,
    ended: AtomicBool,
    refused: AtomicBool,
    fell_behind: AtomicBool,
}

impl Connection {
    pub(crate) fn new(session: Session, principal_id: String) -> Connection {
        Connection {
            session: Arc::new(session),
            principal_id,
            turns: Arc::new(Semaphore::new(TURNS)),
            repeats: Mutex::new(Repeats::default()),
            gathered: Mutex::default(),
            closed_because: OnceLock::new(),
            ended: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            fell_behind: AtomicBool::new(false),
        }
    }

    /// The connection of rmqtt's session; `None` before it was let in.
    pub(crate) async fn of(session: &MqttSession) -> Option<Arc<Connection>> {
        session.extra_attrs.read().await.get::<Arc<Connection>>(ATTRIBUTE).cloned()
    }

    /// Makes [`Connection::of`] find it.
    pub(crate) async fn attach(self: &Arc<Connection>, session: &MqttSession) {
        session.extra_attrs.write().await.insert(ATTRIBUTE.into(), self.clone());
    }

    /// Waits for a place among the unanswered requests.
    pub(crate) async fn turn(&self) -> Turn {
        let permit = self.turns.clone().acquire_owned().await;
        Turn::of(permit.expect("the semaphore is never closed"))
    }

    pub(crate) fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().expect("nothing panics while it holds the lock")
    }

    /// Notes a filter for the next event about its subscriptions.
    pub(crate) fn gather(&self, kind: SubscriptionEvent, filter: &str) -> Gathering {
        let mut gathered = self.gathered.lock().expect("nothing panics while it holds the lock");
        let is_first = gathered.is_none();
        let finished = gathered.take_if(|(other, _)| *other != kind);
        gathered.get_or_insert((kind, Vec::new())).1.push(filter.to_owned());
        Gathering { finished, is_first }
    }

    /// What was gathered since it was told last.
    pub(crate) fn gathered(&self) -> Gathered {
        self.gathered.lock().expect("nothing panics while it holds the lock").take()
    }

    /// Notes why it is about to be closed; the first reason counts.
    pub(crate) fn close_because(&self, reason: DisconnectReason) {
        let _first = self.closed_because.set(reason);
    }

    pub(crate) fn closed_because(&self) -> Option<DisconnectReason> {
        self.closed_because.get().copied()
    }

    /// Notes that it was refused something; true for the first time only.
    pub(crate) fn is_first_refusal(&self) -> bool {
        !self.refused.swap(true, Relaxed)
    }

    /// Notes that its queue ran over; true for the first time only.
    pub(crate) fn falls_behind(&self) -> bool {
        !self.fell_behind.swap(true, Relaxed)
    }

    /// Marks the end; true for the first caller only.
    pub(crate) fn end(&self) -> bool {
        !self.ended.swap(true, Relaxed)
    }
}
