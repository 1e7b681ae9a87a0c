//! One measured number against its target.

use std::fmt;
use std::time::Duration;

/// A number and what it should be.
pub(crate) struct Figure {
    name: String,
    value: f64,
    target: f64,
    unit: &'static str,
    wanted: Wanted,
}

/// On which side of the target a number should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    AtMost,
    AtLeast,
}

impl Figure {
    /// A time, printed in milliseconds.
    pub(crate) fn time(name: &str, value: Duration, target: Duration) -> Figure {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        Figure::at_most(name, ms(value), ms(target), "ms")
    }

    /// Memory, printed in MiB.
    pub(crate) fn memory(name: &str, value_kib: u64, target_mib: u32) -> Figure {
        Figure::at_most(name, value_kib as f64 / 1024.0, target_mib.into(), "MiB")
    }

    /// A number that should not be above its target.
    pub(crate) fn at_most(name: &str, value: f64, target: f64, unit: &'static str) -> Figure {
        Figure { name: name.to_owned(), value, target, unit, wanted: Wanted::AtMost }
    }

    /// A number that should not be below its target.
    pub(crate) fn at_least(name: &str, value: f64, target: f64, unit: &'static str) -> Figure {
        Figure { name: name.to_owned(), value, target, unit, wanted: Wanted::AtLeast }
    }

    /// A part of what something else took.
    pub(crate) fn ratio(name: &str, value: f64, target: f64) -> Figure {
        Figure::at_most(name, value, target, "")
    }

    /// Memory of one of many, printed in KiB.
    pub(crate) fn memory_each(name: &str, value_kib: f64, target_kib: u32) -> Figure {
        Figure::at_most(name, value_kib, target_kib.into(), "KiB")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure { name, value, target, unit, wanted } = self;
        let is_met = match wanted {
            Wanted::AtMost => value <= target,
            Wanted::AtLeast => value >= target,
        };
        let verdict = if is_met { "met" } else { "missed" };
        match *unit {
            "" => write!(f, "{name} {value:.3} target {target} {verdict}"),
            unit => write!(f, "{name} {value:.1} {unit} target {target} {unit} {verdict}"),
        }
    }
}

/// The middle of the measurements; of an even number, the upper one.
pub(crate) fn median(mut measured: Vec<Duration>) -> Duration {
    measured.sort_unstable();
    measured[measured.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_says_whether_the_target_is_met() {
        let ms = Duration::from_millis;
        let met = Figure::time("start_to_ready", ms(120), ms(300));
        assert_eq!(met.to_string(), "start_to_ready 120.0 ms target 300 ms met");
        let missed = Figure::memory("idle_rss", 41 * 1024, 40);
        assert_eq!(missed.to_string(), "idle_rss 41.0 MiB target 40 MiB missed");
        let ratio = Figure::ratio("to_peer", 0.5, 0.6);
        assert_eq!(ratio.to_string(), "to_peer 0.500 target 0.6 met");
        let rate = Figure::at_least("updates", 19_000.0, 20_000.0, "/s");
        assert_eq!(rate.to_string(), "updates 19000.0 /s target 20000 /s missed");
    }

    #[test]
    fn median_ignores_one_slow_run() {
        let ms = Duration::from_millis;
        assert_eq!(median(vec![ms(90), ms(9000), ms(100)]), ms(100));
    }
}
