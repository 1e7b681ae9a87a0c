//! Power goes at every operation of a life, in every way it can.

use otaru_sim_flash::{CutKind, Operation, Random};

use super::{Suite, named, patched_life, quiet_life, refused_life};
use crate::{Clock, Geometry, Life, Loader, Outage, Supply, Unit, live};

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
    /// Every first outage, and the operations on selector and records that follow it.
    firsts: Vec<(Outage, Vec<u64>)>,
    /// Cases before each of them.
    starts: Vec<u64>,
    count: u64,
}

/// The operations of a life without outage. With one, it is the same until then, as long as
/// its seed and its chip are the same.
pub(super) fn operations(life: &Life) -> Vec<Operation> {
    let quiet = Life { outages: Vec::new(), flips: Vec::new(), ..life.clone() };
    live(&quiet).expect("a life without a fault breaks nothing").trace
}

/// How power can go at one operation. Of long writes a sample of the torn ones.
pub(crate) fn kinds(operation: &Operation, number: u64, is_selector: bool) -> Vec<CutKind> {
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
    pub fn new(geometry: Geometry, unit: Unit, keeps_logs: bool, loader: Loader) -> SingleCuts {
        let name = match geometry {
            Geometry::Small if keeps_logs => "single-cuts-with-logs",
            Geometry::Small => "single-cuts",
            Geometry::TwoChunks => "single-cuts-of-two-chunks",
            Geometry::Segments => "single-cuts-of-segments",
            Geometry::Standard => "single-cuts-of-4-MiB",
        };
        SingleCuts::of(Life { unit, loader, ..quiet_life(geometry, keeps_logs) }, name)
    }

    /// Every single cut of an update by patch on this chip.
    pub fn of_patch(geometry: Geometry, unit: Unit, loader: Loader) -> SingleCuts {
        let name = match geometry {
            Geometry::Small => "single-cuts-by-patch",
            Geometry::TwoChunks => "single-cuts-of-two-chunks-by-patch",
            Geometry::Segments => "single-cuts-of-segments-by-patch",
            Geometry::Standard => "single-cuts-of-4-MiB-by-patch",
        };
        SingleCuts::of(Life { unit, loader, ..patched_life(geometry) }, name)
    }

    /// Every single cut of a life in which most wishes have to be refused.
    pub fn of_refusals(unit: Unit, loader: Loader) -> SingleCuts {
        SingleCuts::of(Life { unit, loader, ..refused_life() }, "single-cuts-of-refusals")
    }

    /// Every single cut of the quiet life of a device that nobody tells the time.
    pub fn without_clock(unit: Unit, loader: Loader) -> SingleCuts {
        let life = quiet_life(Geometry::Small, false);
        let life = Life { unit, loader, clock: Clock::Unknown, ..life };
        SingleCuts::of(life, "single-cuts-without-clock")
    }

    fn of(life: Life, name: &'static str) -> SingleCuts {
        let off = |after, kind| Outage { after, kind, supply: Supply::Off };
        let otadata = life.geometry.layout().otadata;
        let mut cases = Vec::new();
        for (after, operation) in (0..).zip(operations(&life)) {
            let is_selector = (otadata.offset..otadata.end()).contains(&operation.offset);
            for kind in kinds(&operation, after, is_selector) {
                cases.push(vec![off(after, kind)]);
            }
            // The processor starts anew, and RTC memory stays.
            for kind in [CutKind::Before, CutKind::After, CutKind::Bits { seed: after }] {
                let supplies = [Supply::Dip, Supply::Reset];
                cases.extend(supplies.map(|supply| vec![Outage { after, kind, supply }]));
            }
            // A brown-out that comes back while the device recovers.
            for again in 0..4 {
                let first = off(after, CutKind::Bits { seed: after });
                cases.push(vec![first, off(again, CutKind::Bits { seed: again })]);
            }
        }
        SingleCuts { life, cases, name }
    }

    /// Operations of the life that is cut.
    pub fn operations(&self) -> Vec<Operation> {
        operations(&self.life)
    }
}

impl Suite for SingleCuts {
    fn name(&self) -> String {
        named(self.name, self.life.unit, self.life.loader)
    }

    fn count(&self) -> u64 {
        self.cases.len() as u64
    }

    fn life(&self, number: u64) -> Life {
        Life { outages: self.cases[number as usize].clone(), ..self.life.clone() }
    }
}

/// Ways power goes in the second operation of a pair.
const SECOND_KINDS: usize = 4;

/// Ways power goes in the first operation of a pair.
fn pair_kinds(operation: &Operation, number: u64) -> [CutKind; 5] {
    let torn = operation.length as usize / 2;
    [
        CutKind::Before,
        CutKind::After,
        CutKind::Prefix { bytes: torn },
        CutKind::Suffix { bytes: torn },
        CutKind::Bits { seed: number },
    ]
}

impl DoubleCuts {
    /// Every pair of cuts in operations on selector and records.
    pub fn new(loader: Loader) -> DoubleCuts {
        let life = Life { loader, ..quiet_life(Geometry::Small, false) };
        let layout = Geometry::Small.layout();
        let is_metadata = |operation: &Operation| {
            let within = |region: otaru_slots::Region| {
                (region.offset..region.end()).contains(&operation.offset)
            };
            within(layout.otadata) || within(layout.otaru)
        };
        let (mut firsts, mut starts, mut count) = (Vec::new(), Vec::new(), 0);
        for (after, operation) in (0..).zip(operations(&life)) {
            if !is_metadata(&operation) {
                continue;
            }
            for kind in pair_kinds(&operation, after) {
                let first = Outage { after, kind, supply: Supply::Off };
                // What is done behind the first depends on it: it is lived once to see.
                let once = Life { outages: vec![first], ..life.clone() };
                let trace = live(&once).expect("one outage breaks nothing").trace;
                let behind = (0..).zip(&trace[after as usize + 1..]);
                let seconds: Vec<u64> = behind
                    .filter(|(_, operation)| is_metadata(operation))
                    .map(|(number, _)| number)
                    .collect();
                starts.push(count);
                count += (seconds.len() * SECOND_KINDS) as u64;
                firsts.push((first, seconds));
            }
        }
        DoubleCuts { life, firsts, starts, count }
    }
}

impl Suite for DoubleCuts {
    fn name(&self) -> String {
        named("double-cuts", self.life.unit, self.life.loader)
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn life(&self, number: u64) -> Life {
        let nth = self.starts.partition_point(|&start| start <= number) - 1;
        let (first, seconds) = &self.firsts[nth];
        let case = (number - self.starts[nth]) as usize;
        let after = seconds[case / SECOND_KINDS];
        let kind = match case % SECOND_KINDS {
            0 => CutKind::Before,
            1 => CutKind::After,
            2 => CutKind::Prefix { bytes: 16 },
            _ => CutKind::Bits { seed: number },
        };
        // Outages count operations from the one before them.
        let second = Outage { after, kind, supply: Supply::Off };
        Life { outages: vec![*first, second], ..self.life.clone() }
    }
}
