//! Power goes twice in what a device remembers, at every pair of operations.

use otaru_sim_flash::{CutKind, Operation, Random};

use super::cuts::operations;
use super::kinds::{drawn, is_metadata};
use super::{Suite, named, quiet_life};
use crate::{Geometry, Life, Loader, Outage, Supply, live};

/// Two outages, both in operations on the selector and the records.
#[derive(Debug)]
pub struct DoubleCuts {
    life: Life,
    firsts: Vec<First>,
    /// Cases before each way of each of them.
    starts: Vec<u64>,
    count: u64,
}

/// An operation that is cut first.
#[derive(Debug)]
struct First {
    after: u64,
    operation: Operation,
    /// Operations on selector and records that follow where it was not done, and where it was:
    /// each counted from it.
    behind: [Vec<(u64, Operation)>; 2],
}

/// Ways power goes in the first operation of a pair: not done, done, and three that are drawn.
const FIRST_WAYS: usize = 5;
/// Ways power goes in the second: not done, done, and two that are drawn.
const SECOND_WAYS: usize = 4;

impl First {
    /// What follows one way of it. What is drawn may leave it done or not, or in between.
    fn behind(&self, way: usize) -> &[(u64, Operation)] {
        &self.behind[way % 2]
    }
}

impl DoubleCuts {
    /// Every pair of cuts in operations on selector and records.
    pub fn new(loader: Loader) -> DoubleCuts {
        let life = Life { loader, ..quiet_life(Geometry::Small, false) };
        let layout = life.geometry.layout();
        let mut firsts = Vec::new();
        for (after, operation) in (0..).zip(operations(&life)) {
            if !is_metadata(&operation, &layout) {
                continue;
            }
            // What is done behind the first depends on it: it is lived once to see.
            let behind = [CutKind::Before, CutKind::After].map(|kind| {
                let first = Outage { after, kind, supply: Supply::Off };
                let once = Life { outages: vec![first], ..life.clone() };
                let trace = live(&once).expect("one outage breaks nothing").trace;
                let behind = (0..).zip(trace.into_iter().skip(after as usize + 1));
                behind.filter(|(_, operation)| is_metadata(operation, &layout)).collect()
            });
            firsts.push(First { after, operation, behind });
        }
        let (mut starts, mut count) = (Vec::new(), 0);
        for first in &firsts {
            for way in 0..FIRST_WAYS {
                starts.push(count);
                count += (first.behind(way).len() * SECOND_WAYS) as u64;
            }
        }
        DoubleCuts { life, firsts, starts, count }
    }
}

/// How power goes at one of a pair.
fn outage(after: u64, operation: &Operation, way: usize, seed: u64) -> Outage {
    let (kind, supply) = match way {
        0 => (CutKind::Before, Supply::Off),
        1 => (CutKind::After, Supply::Off),
        _ => drawn(operation, seed),
    };
    Outage { after, kind, supply }
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
        let (first, way) = (&self.firsts[nth / FIRST_WAYS], nth % FIRST_WAYS);
        let case = (number - self.starts[nth]) as usize;
        // Outages count operations from the one before them.
        let (after, second) = &first.behind(way)[case / SECOND_WAYS];
        let second_way = case % SECOND_WAYS;
        // A pair has one first, whatever becomes of its second.
        let of_pair = Random::new(number - second_way as u64).next_u64();
        let outages = vec![
            outage(first.after, &first.operation, way, of_pair),
            outage(*after, second, second_way, !of_pair ^ number),
        ];
        Life { outages, ..self.life.clone() }
    }
}
