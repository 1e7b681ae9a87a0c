use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Where the time comes from: the machine, or a test that moves it by hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine(fn() -> i64),
    Hand(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock, read through `now_ms`: milliseconds since the epoch.
    pub fn machine(now_ms: fn() -> i64) -> Clock {
        Clock(Source::Machine(now_ms))
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`] moves it.
    pub fn by_hand(now_ms: i64) -> Clock {
        Clock(Source::Hand(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Moves a hand-moved clock forward; the machine's clock moves itself.
    pub fn advance(&self, by: std::time::Duration) {
        if let Source::Hand(now) = &self.0 {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Sets a hand-moved clock back, as somebody does who had set it wrong.
    pub fn set_back(&self, by: std::time::Duration) {
        if let Source::Hand(now) = &self.0 {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.fetch_sub(by_ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::Machine(now_ms) => now_ms(),
            Source::Hand(now) => now.load(Ordering::SeqCst),
        }
    }
}
