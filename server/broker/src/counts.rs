//! What the broker counts for its operator.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since start, except `connections`, which is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients connected now.
    pub connections: u64,
    /// Messages lost because too many or too many bytes waited for their receiver, which ended its
    /// session.
    pub dropped_queue_full: u64,
    /// Messages lost because their receiver's session had ended or ended before they were delivered.
    pub dropped_session_ended: u64,
    /// Messages left out because they are larger than their receiver said it takes.
    pub dropped_too_large: u64,
    /// Messages whose sender gave them less time than they waited.
    pub dropped_expired: u64,
    /// Sessions that were ended because their receiver did not keep up.
    pub fell_behind: u64,
    /// Messages that clients were not allowed to publish.
    pub refused_publishes: u64,
    /// Filters that clients were not allowed to subscribe to, or had too many of.
    pub refused_subscriptions: u64,
    /// Connections that asked for more than they may in a second, and were read more slowly.
    pub slowed: u64,
    /// Connections that were ended because they went on asking for what they may not have.
    pub cut_off: u64,
    /// Connections that came too often, or were too many of a batch, and were told to come later.
    pub put_off: u64,
}

impl Counts {
    /// What was counted since; `connections` are still those of now.
    pub fn since(&self, before: &Counts) -> Counts {
        let risen = |of: fn(&Counts) -> u64| of(self).saturating_sub(of(before));
        Counts {
            connections: self.connections,
            dropped_queue_full: risen(|counts| counts.dropped_queue_full),
            dropped_session_ended: risen(|counts| counts.dropped_session_ended),
            dropped_too_large: risen(|counts| counts.dropped_too_large),
            dropped_expired: risen(|counts| counts.dropped_expired),
            fell_behind: risen(|counts| counts.fell_behind),
            refused_publishes: risen(|counts| counts.refused_publishes),
            refused_subscriptions: risen(|counts| counts.refused_subscriptions),
            slowed: risen(|counts| counts.slowed),
            cut_off: risen(|counts| counts.cut_off),
            put_off: risen(|counts| counts.put_off),
        }
    }
}

/// The counters behind [`Counts`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) dropped_queue_full: AtomicU64,
    pub(crate) dropped_session_ended: AtomicU64,
    pub(crate) dropped_too_large: AtomicU64,
    pub(crate) dropped_expired: AtomicU64,
    pub(crate) fell_behind: AtomicU64,
    pub(crate) refused_publishes: AtomicU64,
    pub(crate) refused_subscriptions: AtomicU64,
    pub(crate) slowed: AtomicU64,
    pub(crate) cut_off: AtomicU64,
    pub(crate) put_off: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        Counts {
            connections: self.connections.load(Relaxed),
            dropped_queue_full: self.dropped_queue_full.load(Relaxed),
            dropped_session_ended: self.dropped_session_ended.load(Relaxed),
            dropped_too_large: self.dropped_too_large.load(Relaxed),
            dropped_expired: self.dropped_expired.load(Relaxed),
            fell_behind: self.fell_behind.load(Relaxed),
            refused_publishes: self.refused_publishes.load(Relaxed),
            refused_subscriptions: self.refused_subscriptions.load(Relaxed),
            slowed: self.slowed.load(Relaxed),
            cut_off: self.cut_off.load(Relaxed),
            put_off: self.put_off.load(Relaxed),
        }
    }
}
