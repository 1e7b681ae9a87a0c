//! What the broker remembers of one connection, attached to rmqtt's session.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use otaru_wire::SubscriptionEvent;
use otaru_wire::payload::DisconnectReason;
use rmqtt::session::Session as MqttSession;
use tokio::sync::{Semaphore, watch};

use crate::comings::ClaimPlace;
use crate::pace::Pace;
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
    /// How fast it may ask for things; `None` is as fast as it can.
    pub(crate) pace: Option<Pace>,
    /// Its place among those of its batch, if it is a claim.
    claim: Mutex<Option<ClaimPlace>>,
    turns: Arc<Semaphore>,
    repeats: Mutex<Repeats>,
    gathered: Mutex<Gathered>,
    /// Why we end it, if we do.
    closed_because: OnceLock<DisconnectReason>,
    /// Another connection has its name.
    gives_way: watch::Sender<bool>,
    ended: AtomicBool,
    refusals: AtomicU32,
    refused_publish: AtomicBool,
    refused_filter: AtomicBool,
    slowed: AtomicBool,
    fell_behind: AtomicBool,
}

impl Connection {
    pub(crate) fn new(
        session: Session,
        principal_id: String,
        pace: Option<Pace>,
        claim: Option<ClaimPlace>,
    ) -> Connection {
        Connection {
            session: Arc::new(session),
            principal_id,
            pace,
            claim: Mutex::new(claim),
            turns: Arc::new(Semaphore::new(TURNS)),
            repeats: Mutex::new(Repeats::default()),
            gathered: Mutex::default(),
            closed_because: OnceLock::new(),
            gives_way: watch::Sender::new(false),
            ended: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            refused_publish: AtomicBool::new(false),
            refused_filter: AtomicBool::new(false),
            slowed: AtomicBool::new(false),
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

    /// Lets another connection have its name: a message of it that still waits to be taken waits
    /// no longer, and is not taken.
    pub(crate) fn give_way(&self) {
        self.gives_way.send_replace(true);
    }

    /// Returns once it has to give way.
    pub(crate) async fn has_to_give_way(&self) {
        let mut gives_way = self.gives_way.subscribe();
        gives_way.wait_for(|has_to| *has_to).await.expect("the sender is in self");
    }

    /// Notes that it was refused something, and how often by now.
    pub(crate) fn count_refusal(&self) -> u32 {
        self.refusals.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// Notes that a message of it was refused; true for the first time only.
    pub(crate) fn is_first_refused_publish(&self) -> bool {
        !self.refused_publish.swap(true, Relaxed)
    }

    /// Notes that a filter of it was refused; true for the first time only.
    pub(crate) fn is_first_refused_filter(&self) -> bool {
        !self.refused_filter.swap(true, Relaxed)
    }

    /// Notes that it has to wait; true for the first time only.
    pub(crate) fn is_first_slowing(&self) -> bool {
        !self.slowed.swap(true, Relaxed)
    }

    /// Notes that its queue ran over; true for the first time only.
    pub(crate) fn falls_behind(&self) -> bool {
        !self.fell_behind.swap(true, Relaxed)
    }

    /// Marks the end; true for the first caller only.
    pub(crate) fn end(&self) -> bool {
        drop(self.claim.lock().unwrap_or_else(PoisonError::into_inner).take());
        !self.ended.swap(true, Relaxed)
    }
}
