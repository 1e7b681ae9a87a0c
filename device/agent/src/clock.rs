//! What a device knows of the time.

/// A clock that may not be set, and a time that has certainly passed.
///
/// A clock that shows a time before that one was never set, or lost power: it counts as not
/// known. Then nothing is told apart by it, and only what had ended before that time is over.
/// So a wrong clock delays an update at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    shows: Option<i64>,
    passed: i64,
}

impl Clock {
    /// `shows` is what the clock shows. `passed` is when this firmware was built, or when the
    /// newest timestamp that was taken was signed, whichever is later; both in seconds since 1970.
    pub fn new(shows: Option<i64>, passed: i64) -> Clock {
        Clock { shows, passed }
    }

    /// The time, where the clock knows it.
    pub fn time(&self) -> Option<i64> {
        self.shows.filter(|&shows| shows >= self.passed)
    }

    /// A time that has passed, the latest that is known of: what ends before it is over.
    pub fn passed(&self) -> i64 {
        self.time().unwrap_or(self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_what_has_passed_is_not_known() {
        let table = [
            (None, None, 1_000),
            (Some(0), None, 1_000),
            (Some(-5), None, 1_000),
            (Some(999), None, 1_000),
            (Some(1_000), Some(1_000), 1_000),
            (Some(2_000), Some(2_000), 2_000),
        ];
        for (shows, time, passed) in table {
            let clock = Clock::new(shows, 1_000);
            assert_eq!((clock.time(), clock.passed()), (time, passed), "shows {shows:?}");
        }
    }
}
