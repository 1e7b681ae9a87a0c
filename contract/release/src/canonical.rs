//! The deterministic encoding rule of CBOR (RFC 8949 §4.2.1), checked.
//!
//! Two encodings of one document would be two signatures' worth of trouble, so
//! every signed document must be in the one deterministic form.

use core::fmt;

use crate::causes::causes;

/// Where bytes stop being one deterministic CBOR item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical {
    /// Offset of the offending item.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.at)
    }
}

impl core::error::Error for NotCanonical {}

causes! {
    /// What deterministic CBOR does not have.
    Problem {
        Surplus = "bytes after the end",
        Truncated = "end of the bytes inside an item",
        Indefinite = "an indefinite length",
        LongNumber = "a number not in its shortest form",
        TooDeep = "nesting deeper than 8",
        NotUtf8 = "text that is not UTF-8",
        Simple = "a float or simple value",
        KeyOrder = "a map key out of order",
    }
}

/// Deepest nesting any of our documents may have, those of later versions included.
pub(crate) const MAX_DEPTH: u8 = 8;

/// Refuses anything but exactly one item in deterministic form.
pub(crate) fn check(bytes: &[u8]) -> Result<(), NotCanonical> {
    let mut walk = Walk::new(bytes);
    walk.item(MAX_DEPTH)?;
    match walk.at == bytes.len() {
        true => Ok(()),
        false => Err(walk.problem(Problem::Surplus)),
    }
}

/// Goes through items, one after the other.
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes, at: 0 }
    }

    fn problem(&self, problem: Problem) -> NotCanonical {
        NotCanonical { at: self.at, problem }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], NotCanonical> {
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| self.at.checked_add(count))
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or(self.problem(Problem::Truncated))?;
        self.at += taken.len();
        Ok(taken)
    }

    /// Reads an item's head: major type and shortest-form argument.
    pub(crate) fn head(&mut self) -> Result<(u8, u64), NotCanonical> {
        let start = self.at;
        let first = self.take(1)?[0];
        let (length, least) = match first & 0x1F {
            small @ 0..24 => return Ok((first >> 5, u64::from(small))),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(NotCanonical { at: start, problem: Problem::Indefinite }),
        };
        let argument = self.take(length)?.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        if argument < least {
            return Err(NotCanonical { at: start, problem: Problem::LongNumber });
        }
        Ok((first >> 5, argument))
    }

    pub(crate) fn item(&mut self, depth: u8) -> Result<(), NotCanonical> {
        let depth = depth.checked_sub(1).ok_or(self.problem(Problem::TooDeep))?;
        let start = self.at;
        match self.head()? {
            (0 | 1, _) => {}
            (2, length) => drop(self.take(length)?),
            (3, length) => {
                let text = self.take(length)?;
                if !is_utf8(text) {
                    return Err(NotCanonical { at: start, problem: Problem::NotUtf8 });
                }
            }
            (4, count) => (0..count).try_for_each(|_| self.item(depth))?,
            (5, count) => self.map(count, depth)?,
            (6, _) => self.item(depth)?,
            // false, true and null; floats have no place in these documents.
            (_, 20..=22) => {}
            _ => return Err(NotCanonical { at: start, problem: Problem::Simple }),
        }
        Ok(())
    }

    /// Keys rise in the order of their encoded bytes, so none comes twice.
    fn map(&mut self, count: u64, depth: u8) -> Result<(), NotCanonical> {
        let mut last: &[u8] = &[];
        for _ in 0..count {
            let start = self.at;
            self.item(depth)?;
            let key = self.bytes.get(start..self.at).unwrap_or_default();
            if key <= last {
                return Err(NotCanonical { at: start, problem: Problem::KeyOrder });
            }
            last = key;
            self.item(depth)?;
        }
        Ok(())
    }
}

/// Whether bytes are UTF-8 (RFC 3629 §4). The standard library answers faster, in four times
/// the code.
fn is_utf8(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    while let Some(&first) = bytes.next() {
        let (more, least) = match first {
            0..0x80 => continue,
            0xC2..0xE0 => (1, 0x80),
            0xE0..0xF0 => (2, 0x800),
            0xF0..0xF5 => (3, 0x1_0000),
            _ => return false,
        };
        let mut point = u32::from(first) & (0x3F >> more);
        for _ in 0..more {
            match bytes.next() {
                Some(&next) if next & 0xC0 == 0x80 => point = point << 6 | u32::from(next & 0x3F),
                _ => return false,
            }
        }
        if point < least || char::from_u32(point).is_none() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check_bytes(bytes: &[u8], expected: Expect) {
        let outcome = check(bytes).map_or_else(|problem| problem.to_string(), |()| "ok".into());
        expected.assert_eq(&outcome);
    }

    #[test]
    fn only_the_deterministic_form_passes() {
        check_bytes(&[0xA2, 0x01, 0x17, 0x02, 0x41, 0xFF], expect!["ok"]);
        check_bytes(&[0x18, 0x18], expect!["ok"]);
        check_bytes(&[0x18, 0x17], expect!["a number not in its shortest form at byte 0"]);
        check_bytes(&[0x19, 0x00, 0xFF], expect!["a number not in its shortest form at byte 0"]);
        check_bytes(&[0x9F, 0xFF], expect!["an indefinite length at byte 0"]);
        check_bytes(&[0xA2, 0x02, 0x00, 0x01, 0x00], expect!["a map key out of order at byte 3"]);
        check_bytes(&[0xA2, 0x01, 0x00, 0x01, 0x00], expect!["a map key out of order at byte 3"]);
        check_bytes(&[0x82, 0x01], expect!["end of the bytes inside an item at byte 2"]);
        check_bytes(
            &[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            expect!["end of the bytes inside an item at byte 9"],
        );
        check_bytes(&[0x62, 0xC3, 0x28], expect!["text that is not UTF-8 at byte 0"]);
        check_bytes(&[0xF9, 0x3C, 0x00], expect!["a float or simple value at byte 0"]);
        check_bytes(&[0x81; 20], expect!["nesting deeper than 8 at byte 8"]);
        check_bytes(&[0x00, 0x00], expect!["bytes after the end at byte 1"]);
        check_bytes(&[], expect!["end of the bytes inside an item at byte 0"]);
    }

    proptest! {
        #[test]
        fn text_is_what_the_standard_library_takes(
            bytes in prop_oneof![
                any::<Vec<u8>>(),
                any::<alloc::string::String>().prop_map(alloc::string::String::into_bytes),
                // Bytes at the edges of the ranges, which chance seldom puts together.
                proptest::collection::vec(
                    proptest::sample::select(&[
                        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                        0xE0, 0xE1, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
                    ][..]),
                    0..6,
                ),
            ],
        ) {
            prop_assert_eq!(is_utf8(&bytes), core::str::from_utf8(&bytes).is_ok());
        }
    }
}
