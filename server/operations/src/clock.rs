use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

/// How soon it is noticed that the machine's clock was set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Where the time comes from: the machine, or a test that moves it by hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine(fn() -> i64),
    Hand(Arc<watch::Sender<i64>>),
}

impl Clock {
    /// The machine's clock, read through `now_ms`: milliseconds since the epoch.
    pub fn machine(now_ms: fn() -> i64) -> Clock {
        Clock(Source::Machine(now_ms))
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`] moves it.
    pub fn by_hand(now_ms: i64) -> Clock {
        Clock(Source::Hand(Arc::new(watch::Sender::new(now_ms))))
    }

    /// Moves a hand-moved clock forward; the machine's clock moves itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Hand(now) = &self.0 {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.send_modify(|now| *now += by_ms);
        }
    }

    /// Sets a hand-moved clock back, as somebody does who had set it wrong.
    pub fn set_back(&self, by: Duration) {
        if let Source::Hand(now) = &self.0 {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.send_modify(|now| *now = now.saturating_sub(by_ms));
        }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::Machine(now_ms) => now_ms(),
            Source::Hand(now) => *now.borrow(),
        }
    }

    /// Returns once it is `at_ms`.
    pub(crate) async fn reaches(&self, at_ms: i64) {
        match &self.0 {
            Source::Hand(now) => {
                // This clock holds the sender: the channel is open.
                let _ = now.subscribe().wait_for(|now| *now >= at_ms).await;
            }
            Source::Machine(now_ms) => loop {
                let remaining = at_ms.saturating_sub(now_ms());
                let Ok(remaining_ms @ 1..) = u64::try_from(remaining) else { return };
                tokio::time::sleep(LOOK_AGAIN.min(Duration::from_millis(remaining_ms))).await;
            },
        }
    }
}

/// Milliseconds since the epoch as X.509 has them.
pub(crate) fn time_of(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs())
}

/// X.509's time in milliseconds since the epoch.
pub(crate) fn ms_of(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
