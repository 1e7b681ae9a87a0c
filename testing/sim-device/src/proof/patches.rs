//! Everything that passes for a patch, with and without power.

use otaru_sim_flash::CutKind;

use super::{Suite, patched_life};
use crate::{Geometry, Gust, Life, Outage, Supply, Weather};

/// A spoilt patch at every request of an update by patch, in pairs, behind a link that breaks
/// and behind an outage.
#[derive(Debug)]
pub struct HostilePatches {
    life: Life,
    cases: Vec<(Vec<Gust>, Vec<Outage>)>,
}

/// Requests of such an update: manifest, patch, and what comes of that.
const REQUESTS: u32 = 6;

impl HostilePatches {
    /// All of a life whose image is two segments.
    pub fn new() -> HostilePatches {
        // Small parts: a patch is short, and what cuts it is to find it everywhere.
        let life = Life { part_bytes: 60, ..patched_life(Geometry::Segments) };
        let mut spoilt = vec![
            Weather::OtherBase,
            Weather::OtherTarget,
            Weather::ForgedPatch,
            Weather::OtherFile,
            Weather::Longer,
            Weather::OtherLength,
            Weather::OtherRange,
            Weather::Whole,
            Weather::Encoded,
            Weather::Trickle { part: 1 },
        ];
        spoilt.extend([302, 404, 410, 412, 416, 429, 500, 503].map(Weather::Status));
        // Header, table, frames and packed records, to their last bytes.
        spoilt.extend((0..400).step_by(3).map(|at| Weather::Flip { at }));
        let mut broken = Vec::new();
        for after in [0, 1, 79, 80, 88, 95, 96, 104, 150, 250, 300, 350, 70_000] {
            broken.push(Weather::Stall { after });
            broken.push(Weather::Truncate { after });
        }
        let mut cases = Vec::new();
        for at in 1..REQUESTS {
            for &what in spoilt.iter().chain(&broken) {
                cases.push((vec![Gust { at, what }], Vec::new()));
            }
        }
        let gust = |at, what| Gust { at, what };
        for (nth, &first) in broken.iter().enumerate() {
            let some = || spoilt.iter().skip(nth % 8).step_by(8);
            // A request for the manifest lies between two tries.
            for at in [3, 4, 5] {
                cases.extend(some().map(|&what| (vec![gust(1, first), gust(at, what)], vec![])));
            }
        }
        // The patch is gone when its second part is asked for.
        let cut = (200..400).map(|after| Weather::Truncate { after });
        cases.extend(cut.map(|cut| (vec![gust(1, cut), gust(2, Weather::Status(404))], vec![])));
        // Power goes anywhere in the first download, and what comes next is spoilt.
        for after in (4..90).step_by(3) {
            let outage = Outage { after, kind: CutKind::Bits { seed: after }, supply: Supply::Off };
            for at in [1, 2, 3, 4] {
                let some = spoilt.iter().step_by(5);
                cases.extend(some.map(|&what| (vec![gust(at, what)], vec![outage])));
            }
        }
        HostilePatches { life, cases }
    }
}

impl Default for HostilePatches {
    fn default() -> Self {
        HostilePatches::new()
    }
}

impl Suite for HostilePatches {
    fn name(&self) -> String {
        "hostile-patches".to_owned()
    }

    fn count(&self) -> u64 {
        self.cases.len() as u64
    }

    fn life(&self, number: u64) -> Life {
        let (gusts, outages) = self.cases[number as usize].clone();
        Life { seed: number, gusts, outages, ..self.life.clone() }
    }
}
