//! Seeded choices (SplitMix64), so that a run can be repeated.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A source of choices.
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// The choices of this seed, for one actor: actors must not disturb each other's.
    pub(crate) fn new(seed: u64, actor: u64) -> Chance {
        Chance { state: seed.wrapping_add(actor.wrapping_mul(0xA076_1D64_78BD_642F)) }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A pause shorter than `limit`.
    pub(crate) fn pause(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).expect("pauses are short");
        Duration::from_micros(self.below(micros))
    }
}

/// A seed nobody chose; below a million, so that it is easy to type.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().hash_one("seed") % 1_000_000
}
