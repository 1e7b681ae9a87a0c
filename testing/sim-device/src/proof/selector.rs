//! Power goes over and over where one slot is chosen before the other.

use otaru_release::Behaviour;
use otaru_sim_flash::{CutKind, Operation, Random};

use super::kinds::{drawn, is_in};
use super::{Suite, named};
use crate::catalogue::{SIZES, catalogue};
use crate::{Geometry, Life, Loader, Outage, Supply, Unit, Wish, live};

/// Most outages of a life.
const OUTAGES_MAX: u64 = 5;

/// Two to five outages, nearly all in operations on the selector, and every other one such that
/// it is done at one power-on and was never begun at another. A fault that takes three of these
/// is in one of millions of lives that are cut anywhere.
#[derive(Clone, Copy, Debug)]
pub struct SelectorCuts {
    /// How many lives.
    pub count: u64,
    /// Which bootloader chooses.
    pub loader: Loader,
}

impl Suite for SelectorCuts {
    fn name(&self) -> String {
        named("selector-cuts", Unit::Word, self.loader)
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn life(&self, number: u64) -> Life {
        let mut random = Random::new(number ^ 0x5E1E_C702_0000_0000);
        let mut life = quiet(&mut random, self.loader);
        let mut begins = 0;
        for _ in 0..2 + random.below(OUTAGES_MAX - 1) {
            // What is done behind an outage depends on it. What broke already is enough.
            let Ok(lived) = live(&life) else { break };
            let behind = lived.trace.get(begins..).unwrap_or_default();
            let Some(outage) = outage(&mut random, &life, behind) else { break };
            begins += outage.after as usize + 1;
            life.outages.push(outage);
        }
        life
    }
}

/// Three short updates, the last two of which may be no good, or taken back.
fn quiet(random: &mut Random, loader: Loader) -> Life {
    let factory = catalogue().pick(0, SIZES[0], Behaviour::Pass).expect("a first release");
    let mut previous = factory;
    let mut wishes = Vec::new();
    for nth in 0..3 {
        let behaviour = match random.below(8) {
            0 | 1 if nth > 0 => Behaviour::Fail,
            2 if nth > 0 => Behaviour::Crash,
            3 if nth > 0 => Behaviour::Hang,
            _ => Behaviour::Pass,
        };
        previous = catalogue().pick(previous, SIZES[0], behaviour).expect("a newer release");
        let withdrawn_after_ms = (random.below(8) == 0).then(|| random.below(1_000));
        wishes.push(Wish { release: previous, withdrawn_after_ms, lingers_ms: 2_000 });
    }
    let unit = if random.below(3) == 0 { Unit::Block } else { Unit::Word };
    let seed = random.next_u64();
    let quiet = super::quiet_life(Geometry::Small, false);
    Life { seed, unit, loader, factory, wishes, ..quiet }
}

/// Where power goes next, among the operations from the last outage on.
fn outage(random: &mut Random, life: &Life, behind: &[Operation]) -> Option<Outage> {
    let layout = life.geometry.layout();
    let is_anywhere = random.below(6) == 0;
    let may_be_cut = |operation: &&Operation| is_anywhere || is_in(layout.otadata, operation);
    let places: Vec<(u64, &Operation)> =
        (0..).zip(behind).filter(|(_, operation)| may_be_cut(operation)).collect();
    // Mostly one of the next: recovery is where faults meet.
    let reach = [4, 8, places.len() as u64][random.below(3) as usize].min(places.len() as u64);
    if reach == 0 {
        return None;
    }
    let (after, operation) = places[random.below(reach) as usize];
    let seed = random.next_u64();
    let (kind, supply) = match random.below(6) {
        0 => (CutKind::Before, Supply::Off),
        1 => (CutKind::After, Supply::Off),
        2 => drawn(operation, seed),
        _ => (CutKind::Wavering { seed }, Supply::Off),
    };
    Some(Outage { after, kind, supply })
}
