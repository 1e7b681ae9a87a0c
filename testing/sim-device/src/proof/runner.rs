//! Living the lives of a suite, and counting them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Suite;
use crate::{Beginnings, Life, Summary, Violation};

/// A life that broke an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its number in the suite.
    pub number: u64,
    /// The plan.
    pub life: Life,
    /// What broke.
    pub violation: Violation,
}

/// Which lives of a suite are lived here: every `of`th from `nth` on.
#[derive(Clone, Copy, Debug)]
pub struct Shard {
    /// The first.
    pub nth: u64,
    /// The step.
    pub of: u64,
}

/// Sums over many lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lives.
    pub lives: u64,
    /// Boots.
    pub boots: u64,
    /// Flash operations.
    pub operations: u64,
    /// Outages that came to pass.
    pub outages: u64,
    /// Gusts that came to pass.
    pub gusts: u64,
    /// Downloads that a patch brought to their end.
    pub patched: u64,
    /// Patches that were given up for the image.
    pub refusals: u64,
    /// Updates that were confirmed.
    pub confirmed: u64,
    /// Updates that rolled back.
    pub rolled_back: u64,
    /// Updates that failed or were taken back.
    pub other_ends: u64,
    /// Lives in which ESP-IDF's bootloader starts a crashing image for ever.
    pub limits: u64,
    /// Lives that broke an invariant.
    pub violations: u64,
}

impl Totals {
    /// Every number, in the order in which [`Totals::of_numbers`] takes them.
    pub fn numbers(&self) -> [u64; 12] {
        let Totals { lives, boots, operations, outages, gusts, patched, refusals, .. } = *self;
        let Totals { confirmed, rolled_back, other_ends, limits, violations, .. } = *self;
        [
            lives,
            boots,
            operations,
            outages,
            gusts,
            patched,
            refusals,
            confirmed,
            rolled_back,
            other_ends,
            limits,
            violations,
        ]
    }

    /// Made of what [`Totals::numbers`] gave.
    pub fn of_numbers(numbers: [u64; 12]) -> Totals {
        let [
            lives,
            boots,
            operations,
            outages,
            gusts,
            patched,
            refusals,
            confirmed,
            rolled_back,
            other_ends,
            limits,
            violations,
        ] = numbers;
        Totals {
            lives,
            boots,
            operations,
            outages,
            gusts,
            patched,
            refusals,
            confirmed,
            rolled_back,
            other_ends,
            limits,
            violations,
        }
    }

    /// The sums of two.
    pub fn plus(self, other: Totals) -> Totals {
        let (these, others) = (self.numbers(), other.numbers());
        Totals::of_numbers(std::array::from_fn(|nth| these[nth] + others[nth]))
    }

    /// Adds a life.
    pub fn add(&mut self, summary: &Summary) {
        self.lives += 1;
        self.boots += u64::from(summary.boots);
        self.operations += summary.operations;
        self.outages += u64::from(summary.outages);
        self.gusts += u64::from(summary.gusts);
        self.patched += u64::from(summary.patched);
        self.refusals += u64::from(summary.refusals);
        self.limits += u64::from(summary.limits);
        for end in &summary.ends {
            match end.outcome.as_str() {
                "confirmed" => self.confirmed += 1,
                "rolled_back" => self.rolled_back += 1,
                _ => self.other_ends += 1,
            }
        }
    }
}

/// Lives one life; a panic breaks I6.
pub fn judge_life(life: &Life) -> Result<Summary, Violation> {
    judge_next(&mut Beginnings::default(), life)
}

fn judge_next(beginnings: &mut Beginnings, life: &Life) -> Result<Summary, Violation> {
    let lived = catch_unwind(AssertUnwindSafe(|| beginnings.live(life)));
    lived.unwrap_or_else(|panic| {
        *beginnings = Beginnings::default();
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Err(Violation { rule: "I6", what: format!("panic: {}", text.unwrap_or_default()) })
    })
}

/// Lives a shard's lives from number `from` on, at most `limit` of them.
///
/// `heard` gets the number behind every life, and how it broke if it did; it says whether to go on.
pub fn run(
    suite: &dyn Suite,
    shard: Shard,
    from: u64,
    totals: &mut Totals,
    mut heard: impl FnMut(u64, &Totals, Option<&Failure>) -> bool,
) {
    let mut number = from.max(shard.nth);
    let mut beginnings = Beginnings::default();
    while number < suite.count() {
        let life = suite.life(number);
        let failure = match judge_next(&mut beginnings, &life) {
            Ok(summary) => {
                totals.add(&summary);
                None
            }
            Err(violation) => {
                totals.lives += 1;
                totals.violations += 1;
                Some(Failure { number, life, violation })
            }
        };
        number += shard.of;
        if !heard(number, totals, failure.as_ref()) {
            return;
        }
    }
}
