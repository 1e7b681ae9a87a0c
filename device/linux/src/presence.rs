//! When a simulated device has power.

use std::str::FromStr;
use std::time::Duration;

use crate::Chance;

const DAY_S: u64 = 86_400;
/// When people are at home, by the day in UTC.
const EVENING: core::ops::Range<u64> = 17 * 3_600..23 * 3_600;
/// Nobody comes home at the minute.
const EVENING_SHIFT_S: u64 = 2 * 3_600;

/// When a device has power, but for cuts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    #[default]
    Always,
    /// From 17:00 to 23:00 UTC, each device up to two hours later.
    Evenings,
    /// On and off for about so long in turn.
    Turns {
        /// Mean time on.
        on: Duration,
        /// Mean time off.
        off: Duration,
    },
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Power, for so long or for ever.
    On(Option<Duration>),
    /// None, for so long.
    Off(Duration),
}

impl Presence {
    /// What begins when the device is at this moment of the day and had power before or not;
    /// `None` is a device that was never looked at.
    pub(crate) fn next(self, had_power: Option<bool>, of_day: Duration, chance: &Chance) -> Turn {
        match self {
            Presence::Always => Turn::On(None),
            Presence::Turns { on, off } => {
                let all_ms = u64::try_from((on + off).as_millis()).unwrap_or(u64::MAX);
                let off_ms = u64::try_from(off.as_millis()).unwrap_or(u64::MAX);
                let is_on = had_power.map_or_else(|| chance.below(all_ms) >= off_ms, |had| !had);
                match is_on {
                    true => Turn::On(Some(chance.about(on))),
                    false => Turn::Off(chance.about(off)),
                }
            }
            Presence::Evenings => {
                let since = (of_day.as_secs() + DAY_S - EVENING.start) % DAY_S;
                let length = EVENING.end - EVENING.start;
                match length.checked_sub(since).filter(|left| *left > 0) {
                    Some(left) => Turn::On(Some(Duration::from_secs(left))),
                    None => Turn::Off(Duration::from_secs(DAY_S - since)),
                }
            }
        }
    }

    /// How far this device's day is behind.
    pub(crate) fn shift(self, chance: &Chance) -> Duration {
        match self {
            Presence::Evenings => Duration::from_secs(chance.below(EVENING_SHIFT_S)),
            Presence::Always | Presence::Turns { .. } => Duration::ZERO,
        }
    }
}

impl FromStr for Presence {
    type Err = String;

    /// Reads `always`, `evenings`, `flaky` (five minutes on, one off) or `ON/OFF` in seconds.
    fn from_str(text: &str) -> Result<Presence, String> {
        let turns = |on, off| Presence::Turns {
            on: Duration::from_secs(on),
            off: Duration::from_secs(off),
        };
        let found = match text {
            "always" => Some(Presence::Always),
            "evenings" => Some(Presence::Evenings),
            "flaky" => Some(turns(300, 60)),
            _ => text.split_once('/').and_then(|(on, off)| {
                let (on, off) = (seconds(on)?, seconds(off)?);
                (on > 0 && off > 0).then(|| turns(on, off))
            }),
        };
        let wrong = || format!("{text:?} is not always, evenings, flaky or ON/OFF such as 10m/30s");
        found.ok_or_else(wrong)
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (digits, unit_s) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        _ => (text, 1),
    };
    // Longer than a year on end is a slip of the finger.
    let found = digits.parse::<u64>().ok()?.checked_mul(unit_s)?;
    (found <= 366 * DAY_S).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenings_have_a_beginning_and_an_end() {
        let chance = Chance::new(1, 1);
        let next =
            |hour: u64| Presence::Evenings.next(None, Duration::from_secs(hour * 3_600), &chance);
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        assert_eq!(next(17), Turn::On(Some(hours(6))));
        assert_eq!(next(22), Turn::On(Some(hours(1))));
        assert_eq!(next(23), Turn::Off(hours(18)));
        assert_eq!(next(0), Turn::Off(hours(17)));
        assert!(Presence::Evenings.shift(&chance) < hours(2));
    }

    #[test]
    fn turns_follow_each_other() {
        let chance = Chance::new(1, 1);
        let presence: Presence = "3m/1m".parse().unwrap();
        let next = |had_power| presence.next(had_power, Duration::ZERO, &chance);
        assert!(matches!(next(Some(true)), Turn::Off(time) if (30..=90).contains(&time.as_secs())));
        assert!(matches!(next(Some(false)), Turn::On(Some(time)) if time.as_secs() >= 90));
        let on = (0..1_000).filter(|_| matches!(next(None), Turn::On(_))).count();
        assert!((650..850).contains(&on), "{on} of 1,000 begin with power");
    }

    #[test]
    fn words_are_read() {
        let turns = |on, off| {
            let (on, off) = (Duration::from_secs(on), Duration::from_secs(off));
            Ok(Presence::Turns { on, off })
        };
        assert_eq!("always".parse(), Ok(Presence::Always));
        assert_eq!("flaky".parse(), turns(300, 60));
        assert_eq!("90/2h".parse(), turns(90, 7_200));
        for wrong in ["", "never", "1m", "0/1", "1m/", "1d/1s", "9999h/1s", "-1/1", "1ü/1"] {
            assert!(wrong.parse::<Presence>().is_err(), "{wrong}");
        }
    }
}
