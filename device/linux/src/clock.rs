//! The device's clock, as its updates see it.

use std::time::SystemTime;

use otaru_agent::{Clock, SeenTimestamp};

/// The year this code is from, in seconds since 1970. When it was compiled is not in it, so that
/// the same source makes the same bytes; firmware that knows better says so here.
const BUILT_S: i64 = 1_767_225_600;

/// What a simulated device's clock shows. Certificates are held against the host's all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SimClock {
    /// What the host's shows.
    #[default]
    Host,
    /// Nothing: it was never set.
    Unset,
    /// This, for ever; in seconds since 1970.
    At(i64),
}

impl SimClock {
    /// Milliseconds since 1970, where the clock is set and not behind the firmware itself.
    pub(crate) fn wall_ms(self) -> Option<i64> {
        let shows = self.shows_ms()?;
        Clock::new(Some(shows / 1000), BUILT_S).time().map(|_| shows)
    }

    /// What is known of the time, once this timestamp was seen.
    pub(crate) fn after(self, seen: Option<SeenTimestamp>) -> Clock {
        let passed = seen.map_or(BUILT_S, |seen| seen.signed_at.max(BUILT_S));
        Clock::new(self.shows_ms().map(|ms| ms / 1000), passed)
    }

    fn shows_ms(self) -> Option<i64> {
        match self {
            SimClock::Host => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
                i64::try_from(since.as_millis()).ok()
            }
            SimClock::Unset => None,
            SimClock::At(seconds) => seconds.checked_mul(1000),
        }
    }
}
