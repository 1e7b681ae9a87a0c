//! Chance that can be had again: the same seed draws the same numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What `SplitMix64` adds at each step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence of numbers. Clones draw from the same one.
#[derive(Clone, Debug, Default)]
pub struct Chance(Arc<AtomicU64>);

impl Chance {
    /// The sequence of one of many that share a seed.
    pub fn new(seed: u64, number: u64) -> Chance {
        Chance(Arc::new(AtomicU64::new(mixed(seed).wrapping_add(mixed(number.wrapping_add(1))))))
    }

    /// The next number.
    pub fn draw(&self) -> u64 {
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or_default()
    }

    /// Whether it happens, of so many in a hundred.
    pub fn percent(&self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// How long until something happens that happens so often on average, whenever it did last.
    pub fn wait(&self, mean: Duration) -> Duration {
        // 53 bits are what the fraction of a double holds; never 0, whose logarithm is none.
        let part = ((self.draw() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        Duration::try_from_secs_f64(-part.ln() * mean.as_secs_f64()).unwrap_or(Duration::MAX)
    }

    /// Between a half and one and a half of it.
    pub fn about(&self, time: Duration) -> Duration {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis((ms / 2).saturating_add(self.below(ms.saturating_add(1))))
    }
}

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_device_draws_others() {
        let draws = |seed, number| {
            let chance = Chance::new(seed, number);
            (0..8).map(|_| chance.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draws(7, 1), draws(7, 1));
        assert_ne!(draws(7, 1), draws(7, 2));
        assert_ne!(draws(7, 1), draws(8, 1));
    }

    #[test]
    fn chance_is_as_often_as_it_says() {
        let chance = Chance::new(1, 1);
        let hits = (0..10_000).filter(|_| chance.percent(5)).count();
        assert!((400..600).contains(&hits), "{hits} of 10,000");
        assert!(!(0..1_000).any(|_| chance.percent(0)) && (0..1_000).all(|_| chance.percent(100)));
        let waits: Duration = (0..10_000).map(|_| chance.wait(Duration::from_secs(60))).sum();
        let mean_s = waits.as_secs_f64() / 10_000.0;
        assert!((55.0..65.0).contains(&mean_s), "{mean_s} s on average");
        let about = (0..1_000).map(|_| chance.about(Duration::from_secs(10)).as_millis());
        assert!(about.into_iter().all(|ms| (5_000..=15_000).contains(&ms)));
    }
}
