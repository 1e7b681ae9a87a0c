use std::str::FromStr;

use chrono::{Days, NaiveTime, TimeZone, Utc};
use otaru_store::PutOff;

/// When an update is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as the device hears of it.
    Now,
    /// Not now: the owner is asked again after 24 hours.
    Later,
    /// At the next 02:00 in the device's time zone.
    Tonight,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl When {
    /// How it is put off, if it is.
    pub(crate) fn put_off(self) -> Option<PutOff> {
        match self {
            When::Now => None,
            When::Later => Some(PutOff::Later),
            When::Tonight => Some(PutOff::Tonight),
        }
    }

    /// Until when it is put off, in milliseconds since the epoch; `None` is not at all.
    pub(crate) fn until_at(self, time_zone: Option<&str>, now: i64) -> Option<i64> {
        match self {
            When::Now => None,
            When::Later => Some(now + DAY_MS),
            When::Tonight => Some(next_two_o_clock(time_zone, now)),
        }
    }
}

/// The next 02:00 in the time zone (UTC if unset or unknown), in milliseconds since the epoch.
fn next_two_o_clock(time_zone: Option<&str>, now: i64) -> i64 {
    let zone =
        time_zone.and_then(|name| chrono_tz::Tz::from_str(name).ok()).unwrap_or(chrono_tz::Tz::UTC);
    let two = NaiveTime::from_hms_opt(2, 0, 0).expect("02:00 is a time");
    let today = Utc.timestamp_millis_opt(now).earliest().unwrap_or_default().with_timezone(&zone);
    (0..3)
        .filter_map(|days| today.date_naive().checked_add_days(Days::new(days)))
        // A night without a 02:00 (clocks go forward) is skipped to the next one.
        .filter_map(|date| zone.from_local_datetime(&date.and_time(two)).earliest())
        .map(|time| time.timestamp_millis())
        .find(|at| *at > now)
        .unwrap_or(now + DAY_MS)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::objects::time;

    #[test]
    fn tonight_is_the_next_two_o_clock_of_the_device() {
        // 2026-03-28T23:30:00Z; Berlin's clocks go forward at 02:00 on the 29th.
        let now = 1_774_740_600_000;
        let zones = [None, Some("Asia/Tokyo"), Some("Europe/Berlin"), Some("Nowhere/None")];
        let nights: Vec<String> =
            zones.map(|zone| format!("{zone:?} {}", time(next_two_o_clock(zone, now)))).into();
        expect![[r#"
            None 2026-03-29T02:00:00.000Z
            Some("Asia/Tokyo") 2026-03-29T17:00:00.000Z
            Some("Europe/Berlin") 2026-03-30T00:00:00.000Z
            Some("Nowhere/None") 2026-03-29T02:00:00.000Z"#]]
        .assert_eq(&nights.join("\n"));
    }
}
