//! Power goes at every operation of a life, in every way it can.

use otaru_sim_flash::{CutKind, Operation, Random};

use super::{Suite, quiet_life};
use crate::{Geometry, Life, Outage, Supply, live};

/// One outage at every operation of a quiet life, of every kind.
#[derive(Debug)]
pub struct SingleCuts {
    life: Life,
    cases: Vec<Vec<Outage>>,
    name: &'static str,
}

/// Two outages, both in operations on the selector and the records.
#[derive(Debug)]
pub struct DoubleCuts {
    life: Life,
    firsts: Vec<Outage>,
    seconds: Vec<Outage>,
}

/// The operations of a life without outage.
pub(super) fn operations(life: &Life) -> Vec<Operation> {
    let quiet = Life { outages: Vec::new(), flips: Vec::new(), ..life.clone() };
    live::<4>(&quiet).expect("a life without a fault breaks nothing").trace
}

/// How power can go at one operation. Of long writes a sample of the torn ones.
fn kinds(operation: &Operation, number: u64, is_selector: bool) -> Vec<CutKind> {
    let mut random = Random::new(number);
    let length = operation.length as usize;
    let mut kinds = vec![CutKind::Before, CutKind::After];
    if operation.is_erase {
        kinds.extend([16, 32, 512, 2048, 4095].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([16, 32, 512, 2048, 4095].map(|bytes| CutKind::Suffix { bytes }));
        if is_selector {
            kinds.extend((1..32).map(|bytes| CutKind::Prefix { bytes }));
            kinds.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
            kinds.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
        }
    } else if length <= 64 {
        kinds.extend((1..length).map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend((4..length).step_by(4).map(|bytes| CutKind::Suffix { bytes }));
        kinds.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
        kinds.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
    } else {
        let mut at = || random.below(length as u64) as usize;
        kinds.extend([1, 3, 4, 8, 31, 32, 33].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([at(), at(), at(), at()].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([at(), at(), at(), at()].map(|bytes| CutKind::Suffix { bytes }));
        kinds.extend([0xFF, 0xFF00, 0xF0F0_F0F0, 1, !1].map(|word| CutKind::Mask { word }));
    }
    for _ in 0..6 {
        kinds.push(CutKind::Bits { seed: random.next_u64() });
        kinds.push(CutKind::Weak { seed: random.next_u64() });
        kinds.push(CutKind::Faint { seed: random.next_u64() });
        kinds.push(CutKind::Disturb { seed: random.next_u64() });
    }
    kinds
}

impl SingleCuts {
    /// Every single cut of the quiet life on this chip.
    pub fn new(geometry: Geometry, keeps_logs: bool) -> SingleCuts {
        let life = quiet_life(geometry, keeps_logs);
        let off = |after, kind| Outage { after, kind, supply: Supply::Off };
        let otadata = geometry.layout().otadata;
        let mut cases = Vec::new();
        for (after, operation) in (0..).zip(operations(&life)) {
            let is_selector = (otadata.offset..otadata.end()).contains(&operation.offset);
            for kind in kinds(&operation, after, is_selector) {
                cases.push(vec![off(after, kind)]);
            }
            // A dip: the processor resets and RTC memory stays.
            for kind in [CutKind::Before, CutKind::After, CutKind::Bits { seed: after }] {
                cases.push(vec![Outage { after, kind, supply: Supply::Dip }]);
            }
            // A brown-out that comes back while the device recovers.
            for again in 0..4 {
                let first = off(after, CutKind::Bits { seed: after });
                cases.push(vec![first, off(again, CutKind::Bits { seed: again })]);
            }
        }
        let name = match geometry {
            Geometry::Small if keeps_logs => "single-cuts-with-logs",
            Geometry::Small => "single-cuts",
            Geometry::TwoChunks => "single-cuts-of-two-chunks",
            Geometry::Standard => "single-cuts-of-4-MiB",
        };
        SingleCuts { life, cases, name }
    }

    /// Operations of the life that is cut.
    pub fn operations(&self) -> usize {
        operations(&self.life).len()
    }
}

impl Suite for SingleCuts {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn count(&self) -> u64 {
        self.cases.len() as u64
    }

    fn life(&self, number: u64) -> Life {
        let outages = self.cases[number as usize].clone();
        Life { seed: number, outages, ..self.life.clone() }
    }
}

impl DoubleCuts {
    /// Every pair of cuts in operations on selector and records.
    pub fn new() -> DoubleCuts {
        let life = quiet_life(Geometry::Small, false);
        let layout = Geometry::Small.layout();
        let is_metadata = |operation: &Operation| {
            let within = |region: otaru_slots::Region| {
                (region.offset..region.end()).contains(&operation.offset)
            };
            within(layout.otadata) || within(layout.otaru)
        };
        let mut firsts = Vec::new();
        for (after, operation) in (0..).zip(operations(&life)) {
            if is_metadata(&operation) {
                let torn = operation.length as usize / 2;
                for kind in [
                    CutKind::Before,
                    CutKind::After,
                    CutKind::Prefix { bytes: torn },
                    CutKind::Suffix { bytes: torn },
                    CutKind::Bits { seed: after },
                ] {
                    firsts.push(Outage { after, kind, supply: Supply::Off });
                }
            }
        }
        let mut seconds = Vec::new();
        for after in 0..60 {
            for kind in [CutKind::Before, CutKind::After, CutKind::Bits { seed: after }] {
                seconds.push(Outage { after, kind, supply: Supply::Off });
            }
        }
        DoubleCuts { life, firsts, seconds }
    }
}

impl Default for DoubleCuts {
    fn default() -> Self {
        DoubleCuts::new()
    }
}

impl Suite for DoubleCuts {
    fn name(&self) -> String {
        "double-cuts".to_owned()
    }

    fn count(&self) -> u64 {
        (self.firsts.len() * self.seconds.len()) as u64
    }

    fn life(&self, number: u64) -> Life {
        let (first, second) =
            (number as usize / self.seconds.len(), number as usize % self.seconds.len());
        let outages = vec![self.firsts[first], self.seconds[second]];
        Life { seed: number, outages, ..self.life.clone() }
    }
}
