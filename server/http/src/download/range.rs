//! The `Range` header (RFC 9110 §14).

use std::ops::Range;

use axum::http::HeaderValue;

/// Bytes from `first` to `last`, both included; never empty unless the whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    first: u64,
    /// One past the last byte.
    end: u64,
}

/// What a `Range` header asks of content of a given length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// Everything: the header is not one we understand, and then it is ignored.
    Whole,
    /// One range.
    Part(ByteRange),
    /// Understood, but no byte of it exists.
    Unsatisfiable,
}

impl ByteRange {
    /// All of so many bytes.
    pub fn whole(len_bytes: u64) -> ByteRange {
        ByteRange { first: 0, end: len_bytes }
    }

    /// How many they are.
    pub fn len_bytes(self) -> u64 {
        self.end - self.first
    }

    /// From the first to one past the last.
    pub fn half_open(self) -> Range<u64> {
        self.first..self.end
    }

    /// The `Content-Range` of this part.
    pub fn content_range(self, len_bytes: u64) -> String {
        format!("bytes {}-{}/{len_bytes}", self.first, self.end - 1)
    }
}

/// Reads the header. Several ranges are answered with the whole, which a server
/// may always do: no device asks for them, and assembling parts is a known way
/// to make a server work hard for a small request.
pub fn select(header: &HeaderValue, len_bytes: u64) -> Selected {
    let Some(ranges) = header.to_str().ok().and_then(parse) else { return Selected::Whole };
    let mut satisfiable = ranges.iter().filter_map(|range| range.within(len_bytes));
    match (satisfiable.next(), ranges.len()) {
        (None, _) => Selected::Unsatisfiable,
        (Some(part), 1) => Selected::Part(part),
        (Some(_), _) => Selected::Whole,
    }
}

/// One range as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `first-` or `first-last`.
    From { first: u64, last: Option<u64> },
    /// `-length`.
    Suffix { length: u64 },
}

impl Spec {
    fn within(self, len_bytes: u64) -> Option<ByteRange> {
        let (first, end) = match self {
            Spec::From { first, last } => {
                (first, last.map_or(len_bytes, |last| last.saturating_add(1).min(len_bytes)))
            }
            Spec::Suffix { length } => (len_bytes - length.min(len_bytes), len_bytes),
        };
        (first < end).then_some(ByteRange { first, end })
    }
}

fn parse(text: &str) -> Option<Vec<Spec>> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t']));
    // Empty list members are allowed and mean nothing (RFC 9110 §5.6.1.2).
    let specs: Option<Vec<Spec>> = specs.filter(|spec| !spec.is_empty()).map(parse_one).collect();
    specs.filter(|specs| !specs.is_empty())
}

fn parse_one(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        return Some(Spec::Suffix { length: number(last)? });
    }
    let first = number(first)?;
    let last = if last.is_empty() { None } else { Some(number(last)?) };
    last.is_none_or(|last| first <= last).then_some(Spec::From { first, last })
}

/// Digits only; a number too large for us is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn show(header: &str, len_bytes: u64) -> String {
        match select(&HeaderValue::from_str(header).unwrap(), len_bytes) {
            Selected::Part(part) => part.content_range(len_bytes),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let headers = [
            "bytes=0-0",
            "bytes=0-9",
            "bytes=0-10",
            "bytes=4-",
            "bytes=9-",
            "bytes=10-",
            "bytes=-3",
            "bytes=-10",
            "bytes=-11",
            "bytes=-0",
            "bytes=5-4",
            "bytes=-",
            "bytes=",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes 0-1",
            "Bytes=1-2",
            "lines=1-2",
            "bytes= 1-2 ",
            "bytes=1-2,",
            "bytes=1-2,4-5",
            "bytes=20-,30-",
            "bytes=0-18446744073709551616",
            "bytes=18446744073709551616-",
        ];
        let table: String =
            headers.iter().map(|header| format!("{header} -> {}\n", show(header, 10))).collect();
        expect![[r#"
            bytes=0-0 -> bytes 0-0/10
            bytes=0-9 -> bytes 0-9/10
            bytes=0-10 -> bytes 0-9/10
            bytes=4- -> bytes 4-9/10
            bytes=9- -> bytes 9-9/10
            bytes=10- -> Unsatisfiable
            bytes=-3 -> bytes 7-9/10
            bytes=-10 -> bytes 0-9/10
            bytes=-11 -> bytes 0-9/10
            bytes=-0 -> Unsatisfiable
            bytes=5-4 -> Whole
            bytes=- -> Whole
            bytes= -> Whole
            bytes=a-b -> Whole
            bytes=+1-2 -> Whole
            bytes 0-1 -> Whole
            Bytes=1-2 -> bytes 1-2/10
            lines=1-2 -> Whole
            bytes= 1-2  -> bytes 1-2/10
            bytes=1-2, -> bytes 1-2/10
            bytes=1-2,4-5 -> Whole
            bytes=20-,30- -> Unsatisfiable
            bytes=0-18446744073709551616 -> bytes 0-9/10
            bytes=18446744073709551616- -> Unsatisfiable
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn nothing_of_an_empty_content_exists() {
        assert_eq!(show("bytes=0-0", 0), "Unsatisfiable");
        assert_eq!(show("bytes=-5", 0), "Unsatisfiable");
    }

    proptest! {
        #[test]
        fn any_header_selects_bytes_that_exist(header in "(bytes=)?[-0-9, a=]{0,20}", len in 0_u64..50) {
            let header = HeaderValue::from_str(&header).unwrap();
            if let Selected::Part(part) = select(&header, len) {
                prop_assert!(part.first < part.end && part.end <= len);
            }
        }
    }
}
