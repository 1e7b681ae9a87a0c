//! Lives that begin alike: what they have in common is lived once.

use otaru_agent::ResetCause;

use super::{Stop, Summary, World};
use crate::judge::Violation;
use crate::life::{Life, Unit};
use crate::live;

/// The beginning that the life lived last had in common with others: all of it, up to where power
/// goes for the first time, be it when all has ended.
#[derive(Default)]
pub struct Beginnings {
    last: Option<(Life, Dark)>,
}

/// A device whose power is gone, and everything around it.
enum Dark {
    Word(World<4>),
    Block(World<16>),
    /// It breaks before.
    Never,
}

impl Beginnings {
    /// Lives a life, as [`live`] does. One that differs from the last in what comes behind its
    /// first outage alone costs what comes behind it.
    pub fn live(&mut self, life: &Life) -> Result<Summary, Violation> {
        if life.outages.len() < 2 && life.flips.is_empty() {
            return live(life);
        }
        let outages = life.outages.iter().take(1).copied().collect();
        let beginning = Life { outages, flips: Vec::new(), ..life.clone() };
        if self.last.as_ref().is_none_or(|(known, _)| *known != beginning) {
            let dark = Dark::of(&beginning);
            self.last = Some((beginning, dark));
        }
        match &self.last {
            Some((_, Dark::Word(world))) => world.behind(life),
            Some((_, Dark::Block(world))) => world.behind(life),
            _ => live(life),
        }
    }
}

impl Dark {
    fn of(beginning: &Life) -> Dark {
        let factory = beginning.factory;
        match beginning.unit {
            Unit::Word => {
                let world = World::new(beginning, beginning.geometry.chip(factory));
                world.until_dark().map_or(Dark::Never, Dark::Word)
            }
            Unit::Block => {
                let world = World::new(beginning, beginning.geometry.chip(factory));
                world.until_dark().map_or(Dark::Never, Dark::Block)
            }
        }
    }
}

impl<const UNIT: usize> World<UNIT> {
    /// The world as it is once power is gone, or about to go; what was in RAM is gone, too.
    fn until_dark(mut self) -> Option<World<UNIT>> {
        self.is_dark = self.run_until_dark(ResetCause::PowerOn).ok()? == Stop::PowerLost;
        let chip = self.take_chip();
        self.chip = Some(chip);
        Some(self)
    }

    /// Lives what comes behind the first outage of a life that begins as this one did.
    fn behind(&self, life: &Life) -> Result<Summary, Violation> {
        let mut world = self.copy_in_the_dark(life);
        let lived = if self.is_dark { world.live_on() } else { world.run_out() };
        world.end(lived)
    }

    fn copy_in_the_dark(&self, life: &Life) -> World<UNIT> {
        World {
            life: life.clone(),
            layout: self.layout,
            chip: self.chip.clone(),
            host: None,
            agent: None,
            server: self.server.clone(),
            sky: self.sky.clone(),
            judge: self.judge.clone(),
            random: self.random.clone(),
            queue: self.queue.clone(),
            answers: Default::default(),
            transfer: None,
            checked: None,
            summary: self.summary.clone(),
            transcript: None,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use otaru_sim_flash::CutKind;

    use super::*;
    use crate::proof::quiet_life;
    use crate::{Geometry, Loader, Outage, Supply};

    #[test]
    fn lives_that_begin_alike_are_lived_as_alone() {
        let mut beginnings = Beginnings::default();
        let off = |after, kind| Outage { after, kind, supply: Supply::Off };
        for (loader, unit) in [(Loader::EspIdf, Unit::Word), (Loader::Otaru, Unit::Block)] {
            let quiet = Life { loader, unit, ..quiet_life(Geometry::Small, true) };
            for after in [0, 7, 40, 61, 100, 1_000_000] {
                let first = off(after, CutKind::Bits { seed: after });
                let once = Life { outages: vec![first], ..quiet.clone() };
                let again = |next| vec![first, off(next, CutKind::Faint { seed: next })];
                let at_the_end = Life { outages: Vec::new(), ..once.clone() };
                let lives = [
                    Life { flips: vec![(0xD01C, 3)], ..at_the_end },
                    once.clone(),
                    Life { flips: vec![(0xD01C, 3)], ..once.clone() },
                    Life { outages: again(0), ..once.clone() },
                    Life { outages: again(9), ..once.clone() },
                ];
                for life in lives {
                    assert_eq!(beginnings.live(&life), live(&life), "{life:?}");
                }
            }
        }
    }
}
