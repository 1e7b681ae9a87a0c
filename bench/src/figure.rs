//! One measured number against its target.

use std::fmt;
use std::time::Duration;

/// A number that should not be above its target.
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    target: f64,
    unit: &'static str,
}

impl Figure {
    /// A time, printed in milliseconds.
    pub(crate) fn time(name: &'static str, value: Duration, target: Duration) -> Figure {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        Figure { name, value: ms(value), target: ms(target), unit: "ms" }
    }

    /// Memory, printed in MiB.
    pub(crate) fn memory(name: &'static str, value_kib: u64, target_mib: u32) -> Figure {
        Figure { name, value: value_kib as f64 / 1024.0, target: target_mib.into(), unit: "MiB" }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure { name, value, target, unit } = self;
        let verdict = if value <= target { "met" } else { "missed" };
        write!(f, "{name} {value:.1} {unit} target {target:.0} {unit} {verdict}")
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
    }

    #[test]
    fn median_ignores_one_slow_run() {
        let ms = Duration::from_millis;
        assert_eq!(median(vec![ms(90), ms(9000), ms(100)]), ms(100));
    }
}
