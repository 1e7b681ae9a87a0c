//! `update.restart_window`: a part of every day.

use anyhow::Context;
use chrono::FixedOffset;
use otaru_linux::DailyWindow;
use serde::Deserialize;

/// As it is written: `02:00-05:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Window {
    opens_minute: u16,
    closes_minute: u16,
}

impl Window {
    /// The window where local time is now so far ahead of UTC. A change of that, summer time
    /// included, counts from the next start.
    pub(super) fn ahead_of_utc(self, ahead: FixedOffset) -> DailyWindow {
        // No zone is a day away.
        let ahead_of_utc_minutes = (ahead.local_minus_utc() / 60).try_into().unwrap_or(0);
        let Window { opens_minute, closes_minute } = self;
        DailyWindow { opens_minute, closes_minute, ahead_of_utc_minutes }
    }
}

impl TryFrom<String> for Window {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Window> {
        let found = || {
            format!(
                "found {text:?}, expected two times of a day, as \"02:00-05:00\": leave the key out \
                 where any time is right"
            )
        };
        let (opens, closes) = text.split_once('-').with_context(found)?;
        let opens_minute = minute(opens).with_context(found)?;
        let closes_minute = minute(closes).with_context(found)?;
        Ok(Window { opens_minute, closes_minute })
    }
}

fn minute(time: &str) -> Option<u16> {
    let (hours, minutes) = time.split_once(':')?;
    let number = |digits: &str, below: u16| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|number| is_plain && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> anyhow::Result<Window> {
        Window::try_from(text.to_owned())
    }

    #[test]
    fn two_times_of_a_day_are_a_window() {
        for (text, opens_minute, closes_minute) in
            [("02:00-05:00", 120, 300), ("23:30-00:05", 1410, 5), ("00:00-23:59", 0, 1439)]
        {
            assert_eq!(window(text).unwrap(), Window { opens_minute, closes_minute });
        }
        for text in ["", "02:00", "2:00-5:00", "02:00-24:00", "02:60-05:00", "+2:00-05:00", "02-05"]
        {
            let error = window(text).unwrap_err().to_string();
            assert!(error.contains(&format!("found {text:?}, expected two times")), "{error}");
        }
    }

    #[test]
    fn window_is_by_local_time() {
        for (east_s, ahead_of_utc_minutes) in [(9 * 3_600, 540), (-9_000, -150), (0, 0)] {
            let found = window("02:00-05:00").unwrap();
            let found = found.ahead_of_utc(FixedOffset::east_opt(east_s).unwrap());
            let (opens_minute, closes_minute) = (120, 300);
            assert_eq!(found, DailyWindow { opens_minute, closes_minute, ahead_of_utc_minutes });
        }
    }
}
