//! Very many lives: which there are, how they are lived, and what is left of one that broke.

mod cuts;
mod doubles;
mod flips;
mod kinds;
mod network;
mod patches;
mod random;
mod refusals;
mod report;
mod runner;
mod selector;
mod shrink;
pub mod state;

pub use cuts::SingleCuts;
pub use doubles::DoubleCuts;
pub use flips::Flips;
pub(crate) use kinds::{is_metadata, kinds};
pub use network::HostileNetwork;
pub use patches::HostilePatches;
pub use random::RandomLives;
pub use refusals::refused_life;
pub use report::report;
pub use runner::{Failure, Shard, Totals, judge_life, run};
pub use selector::SelectorCuts;
pub use shrink::shrink;

use otaru_release::Behaviour;

use crate::catalogue::{PATCHED_SIZES, RELEASES_OF_A_ROUND, SIZES, catalogue};
use crate::{Clock, Geometry, Life, Loader, Unit, Wish};

/// When a wish is taken back: its manifest is checked by then, and half of the image is there.
const WITHDRAWN_AFTER_MS: u64 = 151;

/// A numbered set of lives; the same number is the same life for ever.
pub trait Suite: Sync {
    /// What it is called.
    fn name(&self) -> String;
    /// How many lives it has.
    fn count(&self) -> u64;
    /// One of them.
    fn life(&self, number: u64) -> Life;
}

/// A suite's name, on a chip and under a bootloader.
fn named(name: &str, unit: Unit, loader: Loader) -> String {
    let unit = match unit {
        Unit::Word => "",
        Unit::Block => "-of-16-byte-units",
    };
    let loader = match loader {
        Loader::EspIdf => "",
        Loader::Otaru => "-our-loader",
    };
    format!("{name}{unit}{loader}")
}

/// A whole life without a fault: an update that is kept, one that fails its self-test, one
/// that crashes, and the next that is kept.
pub fn quiet_life(geometry: Geometry, keeps_logs: bool) -> Life {
    let sizes = match geometry {
        Geometry::Small | Geometry::ThreeSectors | Geometry::Standard => {
            [SIZES[1], SIZES[0], SIZES[0], SIZES[2]]
        }
        Geometry::TwoChunks | Geometry::Segments => [SIZES[5], SIZES[0], SIZES[0], SIZES[5]],
    };
    let behaviours = [Behaviour::Pass, Behaviour::Fail, Behaviour::Crash, Behaviour::Pass];
    let factory = catalogue().pick(0, SIZES[1], Behaviour::Pass).expect("a first release");
    let mut previous = factory;
    let mut wishes = Vec::new();
    for (round, (size, behaviour)) in sizes.into_iter().zip(behaviours).enumerate() {
        // Each wish closes a hole: its security counter is one higher.
        previous = previous.max(round * RELEASES_OF_A_ROUND - usize::from(round > 0));
        previous = catalogue().pick(previous, size, behaviour).expect("a newer release");
        wishes.push(Wish { release: previous, withdrawn_after_ms: None, lingers_ms: 2_000 });
    }
    Life {
        seed: 1,
        geometry,
        unit: Unit::Word,
        loader: Loader::EspIdf,
        clock: Clock::Known,
        keeps_logs,
        factory,
        wishes,
        outages: Vec::new(),
        gusts: Vec::new(),
        patches: false,
        part_bytes: if geometry == Geometry::TwoChunks { 4096 } else { 1460 },
        takes_what_comes: true,
        flips: Vec::new(),
        power_cycles: 2,
    }
}

/// One good update by patch, to a release that differs little from what runs.
pub fn patched_life(geometry: Geometry) -> Life {
    by_patch(geometry, &[1])
}

/// A whole life by patch: an update that is kept, one that fails its self-test, and the next
/// that is kept.
pub fn whole_life_by_patch(geometry: Geometry) -> Life {
    by_patch(geometry, &[1, 2, 3])
}

fn by_patch(geometry: Geometry, wished: &[usize]) -> Life {
    let size = match geometry {
        Geometry::Small | Geometry::ThreeSectors => PATCHED_SIZES[0],
        Geometry::TwoChunks => PATCHED_SIZES[1],
        Geometry::Segments | Geometry::Standard => PATCHED_SIZES[2],
    };
    let release = |nth| catalogue().of_family(size, nth);
    let wish =
        |&nth: &usize| Wish { release: release(nth), withdrawn_after_ms: None, lingers_ms: 2_000 };
    let wishes = wished.iter().map(wish).collect();
    Life { factory: release(0), wishes, patches: true, ..quiet_life(geometry, false) }
}

/// A whole life of images whose chunks end as erased flash reads, and as nothing but zeros: each
/// over the other in one slot.
pub fn life_of_ends() -> Life {
    let wish = |nth| {
        let release = catalogue().with_ends(nth);
        Wish { release, withdrawn_after_ms: None, lingers_ms: 2_000 }
    };
    let life = quiet_life(Geometry::Segments, false);
    Life { wishes: (0..4).map(wish).collect(), part_bytes: 4096, ..life }
}

/// A wish that is taken back in the middle of its download, and a good one behind it.
pub fn withdrawn_life() -> Life {
    let pick = |previous, size| {
        let found = catalogue().pick(previous, size, Behaviour::Pass);
        found.expect("a newer release")
    };
    let life = quiet_life(Geometry::Small, false);
    let first = pick(life.factory, SIZES[3]);
    let wish = |release| Wish { release, withdrawn_after_ms: None, lingers_ms: 2_000 };
    let withdrawn = Wish { withdrawn_after_ms: Some(WITHDRAWN_AFTER_MS), ..wish(first) };
    Life { wishes: vec![withdrawn, wish(pick(first, SIZES[2]))], ..life }
}
