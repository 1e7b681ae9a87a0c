//! Power goes at every operation of a life, in every way it can.

use otaru_sim_flash::{CutKind, Operation};

use super::kinds::{is_in, is_metadata, kinds, kinds_among_marks};
use super::{
    Suite, life_of_ends, named, quiet_life, refused_life, whole_life_by_patch, withdrawn_life,
};
use crate::{Clock, Geometry, Life, Loader, Outage, Supply, Unit, live};

/// One outage at every operation of a quiet life, of every kind.
#[derive(Debug)]
pub struct SingleCuts {
    life: Life,
    cases: Vec<Vec<Outage>>,
    name: &'static str,
}

/// The operations of a life without outage. With one, it is the same until then, as long as
/// its seed and its chip are the same.
pub(super) fn operations(life: &Life) -> Vec<Operation> {
    let quiet = Life { outages: Vec::new(), flips: Vec::new(), ..life.clone() };
    live(&quiet).expect("a life without a fault breaks nothing").trace
}

impl SingleCuts {
    /// Every single cut of the quiet life on this chip.
    pub fn new(geometry: Geometry, unit: Unit, keeps_logs: bool, loader: Loader) -> SingleCuts {
        let name = match geometry {
            Geometry::ThreeSectors => "single-cuts-of-three-sectors",
            Geometry::Small if keeps_logs => "single-cuts-with-logs",
            Geometry::Small => "single-cuts",
            Geometry::TwoChunks => "single-cuts-of-two-chunks",
            Geometry::Segments => "single-cuts-of-segments",
            Geometry::Standard => "single-cuts-of-4-MiB",
        };
        SingleCuts::of(Life { unit, loader, ..quiet_life(geometry, keeps_logs) }, name)
    }

    /// Every single cut of a life in which a wish is taken back, on this chip.
    pub fn of_withdrawal(unit: Unit, loader: Loader) -> SingleCuts {
        let life = Life { unit, loader, ..withdrawn_life() };
        SingleCuts::of(life, "single-cuts-of-a-withdrawal")
    }

    /// Every single cut of a life by patch on this chip.
    pub fn of_patch(geometry: Geometry, unit: Unit, loader: Loader) -> SingleCuts {
        let name = match geometry {
            Geometry::Small | Geometry::ThreeSectors => "single-cuts-by-patch",
            Geometry::TwoChunks => "single-cuts-of-two-chunks-by-patch",
            Geometry::Segments => "single-cuts-of-segments-by-patch",
            Geometry::Standard => "single-cuts-of-4-MiB-by-patch",
        };
        SingleCuts::of(Life { unit, loader, ..whole_life_by_patch(geometry) }, name)
    }

    /// Every single cut of a life of images whose chunks end in one byte over and over.
    pub fn of_ends(unit: Unit, loader: Loader) -> SingleCuts {
        SingleCuts::of(Life { unit, loader, ..life_of_ends() }, "single-cuts-of-ends")
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
        let layout = life.geometry.layout();
        let mut cases = Vec::new();
        for (after, operation) in (0..).zip(operations(&life)) {
            for kind in kinds(&operation, after, is_metadata(&operation, &layout)) {
                cases.push(vec![off(after, kind)]);
            }
            let has_marks = life.loader == Loader::Otaru && is_in(layout.otadata, &operation);
            if has_marks && operation.is_erase {
                cases.extend(kinds_among_marks().map(|kind| vec![off(after, kind)]));
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
            // One that comes back five times, each time a little later.
            let place = |place| CutKind::Bits { seed: after << 8 | place };
            let again = (1..6).map(|nth| off(nth, place(nth)));
            cases.push([off(after, place(0))].into_iter().chain(again).collect());
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
