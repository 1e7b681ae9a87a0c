//! So much in each period, and as much at once.

use std::time::Duration;

/// What may be used in a period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Zero is no limit.
    pub(crate) amount: u32,
    pub(crate) period_ms: i64,
}

impl Limit {
    pub(crate) fn per_second(amount: u32) -> Limit {
        Limit { amount, period_ms: 1_000 }
    }

    pub(crate) fn per_minute(amount: u32) -> Limit {
        Limit { amount, period_ms: 60_000 }
    }
}

/// What is left of a limit. It comes back evenly; unused, it is kept for one period.
#[derive(Debug)]
pub(crate) struct Allowance {
    limit: Limit,
    /// In parts of a unit: a unit has as many as its period has milliseconds.
    left: i64,
    at_ms: i64,
}

impl Allowance {
    /// All of it.
    pub(crate) fn full(limit: Limit, now_ms: i64) -> Allowance {
        let mut allowance = Allowance { limit, left: 0, at_ms: now_ms };
        allowance.left = allowance.most();
        allowance
    }

    /// How long until so much may be taken; `None` is now. More than there ever is may be taken
    /// when all is there, and is made up for afterwards.
    pub(crate) fn wait(&mut self, now_ms: i64, wanted: u32) -> Option<Duration> {
        if self.limit.amount == 0 {
            return None;
        }
        self.refill(now_ms);
        let missing = self.parts(wanted).min(self.most()) - self.left;
        (missing > 0).then(|| self.time_of(missing))
    }

    /// Takes so much, there or not, and says how long until it would have been there.
    pub(crate) fn take(&mut self, now_ms: i64, wanted: u32) -> Duration {
        if self.limit.amount == 0 {
            return Duration::ZERO;
        }
        self.refill(now_ms);
        self.left -= self.parts(wanted);
        self.time_of(-self.left)
    }

    /// Whether nothing of it is used up.
    pub(crate) fn is_full(&mut self, now_ms: i64) -> bool {
        self.refill(now_ms);
        self.left == self.most()
    }

    /// A clock that was set back gives nothing, and one that was set forward no more than all.
    fn refill(&mut self, now_ms: i64) {
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0);
        let gained = passed_ms.saturating_mul(self.limit.amount.into());
        self.left = self.left.saturating_add(gained).min(self.most());
        self.at_ms = now_ms;
    }

    fn most(&self) -> i64 {
        self.parts(self.limit.amount)
    }

    fn parts(&self, units: u32) -> i64 {
        i64::from(units) * self.limit.period_ms
    }

    fn time_of(&self, parts: i64) -> Duration {
        let parts = u64::try_from(parts).unwrap_or(0);
        Duration::from_millis(parts.div_ceil(self.limit.amount.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ten_a_second() -> Allowance {
        Allowance::full(Limit::per_second(10), 5_000)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_period_is_there_at_once_and_the_rest_comes_evenly() {
        let mut allowance = ten_a_second();
        for _ in 0..10 {
            assert_eq!(allowance.wait(5_000, 1), None);
            assert_eq!(allowance.take(5_000, 1), ms(0));
        }
        assert_eq!(allowance.wait(5_000, 1), Some(ms(100)));
        assert_eq!(allowance.wait(5_099, 1), Some(ms(1)));
        assert_eq!(allowance.wait(5_100, 1), None);
        assert_eq!(allowance.take(5_100, 1), ms(0));
        assert_eq!(allowance.wait(5_100, 3), Some(ms(300)));
    }

    #[test]
    fn what_is_taken_before_it_is_there_is_waited_for_in_turn() {
        let mut allowance = ten_a_second();
        assert_eq!(allowance.take(5_000, 10), ms(0));
        assert_eq!(allowance.take(5_000, 1), ms(100));
        assert_eq!(allowance.take(5_000, 1), ms(200));
        assert_eq!(allowance.take(5_150, 1), ms(150));
    }

    #[test]
    fn nothing_is_kept_for_longer_than_a_period() {
        let mut allowance = ten_a_second();
        assert_eq!(allowance.wait(900_000, 11), None);
        allowance.take(900_000, 11);
        assert_eq!(allowance.wait(900_000, 1), Some(ms(200)));
        assert!(!allowance.is_full(901_099));
        assert!(allowance.is_full(901_100));
    }

    #[test]
    fn a_clock_that_is_set_takes_nothing_away() {
        let mut allowance = ten_a_second();
        allowance.take(5_000, 10);
        assert_eq!(allowance.wait(1_000, 1), Some(ms(100)));
        assert_eq!(allowance.wait(1_100, 1), None);
        assert_eq!(allowance.wait(i64::MAX, 10), None);
        assert_eq!(allowance.wait(i64::MIN, 10), None);
    }

    #[test]
    fn zero_is_no_limit() {
        let mut allowance = Allowance::full(Limit::per_minute(0), 0);
        assert_eq!(allowance.take(0, u32::MAX), ms(0));
        assert_eq!(allowance.wait(0, u32::MAX), None);
    }
}
