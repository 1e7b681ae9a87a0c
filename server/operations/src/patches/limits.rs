//! How often and how long something is tried.

/// How often work is begun that never ends: whatever ended the server may be the work itself.
pub(super) const MOST_ATTEMPTS: u32 = 5;

/// The first wait after a failure, and for room.
const FIRST_WAIT_MS: i64 = 60_000;

/// More often than this it would be longer than the longest.
const DOUBLED_AT_MOST: u32 = 6;

/// The longest: whoever makes room waits no longer for patches than this.
const LONGEST_WAIT_MS: i64 = 60 * 60_000;

/// How long to wait after so many times in a row.
pub(super) fn wait_ms(times: u32) -> i64 {
    (FIRST_WAIT_MS << times.min(DOUBLED_AT_MOST)).min(LONGEST_WAIT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let minutes = [0, 1, 2, 5, 6, 7, 50, 63, 64, u32::MAX].map(|times| wait_ms(times) / 60_000);
        assert_eq!(minutes, [1, 2, 4, 32, 60, 60, 60, 60, 60, 60]);
    }
}
