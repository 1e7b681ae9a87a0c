//! What a load came to.

use std::time::Duration;

use anyhow::{Result, ensure};

/// How many were served, and how long each waited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Served per second.
    pub(crate) per_s: f64,
    /// Half waited no longer than this.
    pub(crate) p50: Duration,
    /// Ninety-nine of a hundred waited no longer than this.
    pub(crate) p99: Duration,
}

impl Outcome {
    /// Of everything that was served within `over`.
    pub(crate) fn of(mut waited: Vec<Duration>, over: Duration) -> Result<Outcome> {
        ensure!(!waited.is_empty(), "nothing was served");
        waited.sort_unstable();
        let at = |per_cent: usize| waited[(waited.len() - 1) * per_cent / 100];
        let per_s = waited.len() as f64 / over.as_secs_f64();
        Ok(Outcome { per_s, p50: at(50), p99: at(99) })
    }

    /// Of several runs the middle one, each number for itself.
    pub(crate) fn median(runs: &[Outcome]) -> Outcome {
        fn middle<T: PartialOrd + Copy>(runs: &[Outcome], number: impl Fn(&Outcome) -> T) -> T {
            let mut numbers: Vec<T> = runs.iter().map(number).collect();
            numbers.sort_by(|a, b| a.partial_cmp(b).expect("measured numbers are finite"));
            numbers[numbers.len() / 2]
        }
        Outcome {
            per_s: middle(runs, |run| run.per_s),
            p50: middle(runs, |run| run.p50),
            p99: middle(runs, |run| run.p99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let outcome = Outcome::of(times, Duration::from_secs(2)).unwrap();
        let (p50, p99) = (Duration::from_millis(100), Duration::from_millis(198));
        assert_eq!(outcome, Outcome { per_s: 100.0, p50, p99 });
        assert!(Outcome::of(Vec::new(), Duration::from_secs(2)).is_err());
    }

    #[test]
    fn median_takes_each_number_for_itself() {
        let run = |per_s, p50, p99| {
            let (p50, p99) = (Duration::from_millis(p50), Duration::from_millis(p99));
            Outcome { per_s, p50, p99 }
        };
        let runs = [run(9.0, 3, 70), run(1.0, 2, 90), run(5.0, 1, 80)];
        assert_eq!(Outcome::median(&runs), run(5.0, 2, 80));
    }
}
