/// A part of every day, by local time, as from 02:00 to 05:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// When it opens, in minutes after midnight: 0 to 1439.
    pub opens_minute: u16,
    /// When it closes, in minutes after midnight. Over midnight where that is before it opens; all
    /// day where it is the same.
    pub closes_minute: u16,
    /// How far local time is ahead of UTC, in minutes: -720 to 840.
    pub ahead_of_utc_minutes: i16,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 1440 * MINUTE_MS;

impl DailyWindow {
    /// How long it is until the window is open, in ms; 0 while it is. `wall_ms` is the time in ms
    /// since the epoch, up to the year 2149.
    pub fn wait_ms(self, wall_ms: i64) -> u64 {
        let ahead_ms = i64::from(self.ahead_of_utc_minutes) * MINUTE_MS as i64;
        let day = rest_of_days(wall_ms.saturating_add(ahead_ms).max(0).cast_unsigned());
        let minutes = |minute: u16| u64::from(minute) * MINUTE_MS;
        let (opens, closes) = (minutes(self.opens_minute), minutes(self.closes_minute));
        let is_open = match opens < closes {
            true => (opens..closes).contains(&day),
            false => opens <= day || day < closes || opens == closes,
        };
        if is_open { 0 } else { rest_of_days(opens + DAY_MS - day) }
    }
}

/// What is left when whole days are taken away: without a division, which small chips do by a
/// kilobyte of code.
fn rest_of_days(mut ms: u64) -> u64 {
    for doublings in (0..16).rev() {
        let days_ms = DAY_MS << doublings;
        if ms >= days_ms {
            ms -= days_ms;
        }
    }
    ms
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23, 00:00 UTC.
    const MIDNIGHT_MS: i64 = 1_795_392_000_000;

    fn wait_min(opens: u16, closes: u16, ahead: i16, now: i64) -> u64 {
        let window =
            DailyWindow { opens_minute: opens, closes_minute: closes, ahead_of_utc_minutes: ahead };
        let wait_ms = window.wait_ms(MIDNIGHT_MS + now * 60_000);
        assert_eq!(wait_ms % MINUTE_MS, 0);
        wait_ms / MINUTE_MS
    }

    #[test]
    fn window_is_open_from_its_first_minute_up_to_its_last() {
        for (now, expected) in [(0, 120), (119, 1), (120, 0), (299, 0), (300, 1260), (1439, 121)] {
            assert_eq!(wait_min(120, 300, 0, now), expected, "at {now}");
        }
    }

    #[test]
    fn window_goes_over_midnight_or_around_the_day() {
        for (now, expected) in [(0, 0), (59, 0), (60, 1320), (1379, 1), (1380, 0), (1439, 0)] {
            assert_eq!(wait_min(1380, 60, 0, now), expected, "at {now}");
        }
        assert!((0..1440).all(|now| wait_min(7, 7, 0, now) == 0));
    }

    #[test]
    fn window_is_by_local_time() {
        // 02:00 in Tokyo is 17:00 of the day before; in Honolulu it is noon.
        assert_eq!(wait_min(120, 300, 540, 17 * 60 - 1), 1);
        assert_eq!(wait_min(120, 300, 540, 17 * 60), 0);
        assert_eq!(wait_min(120, 300, -600, 11 * 60), 60);
    }

    #[test]
    fn no_time_and_no_window_overflow() {
        let odd = DailyWindow {
            opens_minute: u16::MAX,
            closes_minute: 0,
            ahead_of_utc_minutes: i16::MIN,
        };
        for wall_ms in [i64::MIN, 0, i64::MAX] {
            assert!(odd.wait_ms(wall_ms) <= u64::from(u16::MAX) * MINUTE_MS + DAY_MS);
        }
    }
}
