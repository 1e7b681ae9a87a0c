//! Sizes and durations as people type them.

use std::time::Duration;

use otaru_client::ChipRevisions;

/// Reads `4M`, `1536K`, `0x1F0000` or a number of bytes.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as 4M, 1536K, 0x1F0000 or 2031616");
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).map_err(|_| wrong());
    }
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Reads `500ms`, `30s`, `5m`, `2h` or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time such as 30s, 5m or 2h");
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads how long something is to last: `90d`, `12h` or `30m`.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time such as 90d, 12h or 30m");
    let days = match text.strip_suffix('d') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    match days {
        // More than a hundred years is a slip of the finger.
        Some(days @ 1..=36_525_u64) => Ok(Duration::from_secs(days * 24 * 3_600)),
        Some(_) => Err(wrong()),
        None => duration(text).map_err(|_| wrong()),
    }
}

/// Reads a chip revision as its maker writes it: `0.3` or `v1.1`.
fn revision(text: &str) -> Option<u16> {
    let (major, minor) = text.trim_start_matches('v').split_once('.')?;
    let (major, minor) = (major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?);
    (minor < 100).then_some(major.checked_mul(100)?.checked_add(minor)?)
}

/// Reads a chip revision such as `0.3`; what it is otherwise, in words.
pub fn chip_revision(text: &str) -> Result<u16, String> {
    revision(text).ok_or_else(|| format!("{text:?} is not a chip revision such as 0.3"))
}

/// Reads a range of chip revisions: `0.3-1.1`.
pub(crate) fn revisions(text: &str) -> Result<ChipRevisions, String> {
    let range = text.split_once('-').and_then(|(min, max)| {
        let (min, max) = (revision(min)?, revision(max)?);
        (min <= max).then_some(ChipRevisions { min, max })
    });
    range.ok_or_else(|| format!("{text:?} is not a range of chip revisions such as 0.3-1.1"))
}

/// A chip revision as its maker writes it.
pub(crate) fn readable_revision(revision: u16) -> String {
    format!("v{}.{}", revision / 100, revision % 100)
}

/// A size for people: whole numbers as they are, the rest with one decimal.
pub(crate) fn readable_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chip_revisions_are_read_as_their_maker_writes_them() {
        assert_eq!(revisions("0.3-1.1"), Ok(ChipRevisions { min: 3, max: 101 }));
        assert_eq!(revisions("v0.0-v99.99"), Ok(ChipRevisions { min: 0, max: 9_999 }));
        for wrong in ["", "0.3", "1.1-0.3", "3-101", "0.3-1.100", "a.b-c.d", "0.3-700.0"] {
            assert!(revisions(wrong).is_err(), "{wrong}");
        }
        assert_eq!(chip_revision("v1.1"), Ok(101));
        assert_eq!(chip_revision("3"), Err("\"3\" is not a chip revision such as 0.3".into()));
        assert_eq!(readable_revision(301), "v3.1");
    }

    #[test]
    fn sizes_are_read_as_flash_tools_write_them() {
        assert_eq!(size_bytes("4M"), Ok(4 << 20));
        assert_eq!(size_bytes("1536K"), Ok(1536 << 10));
        assert_eq!(size_bytes("0x1F0000"), Ok(0x1F_0000));
        assert_eq!(size_bytes("2031616"), Ok(2_031_616));
        for wrong in ["", "M", "4G", "-1", "4 M", "0x", "1.5M", "99999999999999M", "４M"] {
            assert!(size_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lifetimes_have_days() {
        assert_eq!(lifetime("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(lifetime("12h"), Ok(Duration::from_secs(12 * 3_600)));
        for wrong in ["", "d", "0d", "-1d", "99999d", "1w", "+1d"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "s", "5d", "1.5s", "-5s", "99999999999999999h", "５s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
