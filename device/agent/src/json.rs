//! JSON as it stands in a message: checked once, then looked into without a copy and without a heap.
//!
//! Looked up, a member that is there twice counts as what it says last.

mod copy;
mod print;
#[cfg(test)]
pub(crate) mod reference;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod write;

use scan::Scanner;

pub(crate) use copy::{difference, merge};
pub(crate) use print::{print_of_number, print_of_text, print_of_word};
pub(crate) use text::Text;
pub(crate) use write::{Decimal, Out, Signed, write_text};

/// Levels of objects and arrays that are understood. The shadow service allows eight below
/// `desired`, which is the third.
const LEVELS: u8 = 32;

/// One well-formed value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Reads bytes that are one value and nothing else but white space.
    #[inline(never)]
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Json<'a>> {
        let mut scanner = Scanner::new(core::str::from_utf8(bytes).ok()?);
        let value = scanner.json(LEVELS)?;
        scanner.is_at_end().then_some(value)
    }

    /// An object without members.
    pub(crate) const EMPTY: Json<'static> = Json("{}");

    /// Reads bytes that are one member of an object, name and value.
    pub(crate) fn pair(bytes: &'a [u8]) -> Option<(Text<'a>, Json<'a>)> {
        let mut scanner = Scanner::new(core::str::from_utf8(bytes).ok()?);
        let name = scanner.text()?;
        scanner.expect(b':')?;
        Some((name, scanner.json(LEVELS)?))
    }

    /// The text of the value.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    fn first(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or(0)
    }

    pub(crate) fn is_object(self) -> bool {
        self.first() == b'{'
    }

    pub(crate) fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// What is in an object or an array; nothing is in anything else. Items have no name.
    pub(crate) fn parts(self) -> Parts<'a> {
        let mut scanner = Scanner::new(self.0);
        let is_object = scanner.eat(b'{');
        if !is_object && !scanner.eat(b'[') {
            scanner = Scanner::new("");
        }
        Parts { scanner, is_object }
    }

    /// The members of an object; anything else has none.
    pub(crate) fn members(self) -> Parts<'a> {
        if self.is_object() { self.parts() } else { Json("").parts() }
    }

    #[inline(never)]
    pub(crate) fn member(self, name: &str) -> Option<Json<'a>> {
        let mut last = None;
        for (found, value) in self.members() {
            if found.is(name) {
                last = Some(value);
            }
        }
        last
    }

    /// The member with a name from another object.
    #[inline(never)]
    pub(crate) fn same_member(self, name: Text<'_>) -> Option<Json<'a>> {
        let mut last = None;
        for (found, value) in self.members() {
            if found.same(name) {
                last = Some(value);
            }
        }
        last
    }

    /// A number that is whole, not negative, and written so.
    pub(crate) fn as_u64(self) -> Option<u64> {
        whole_number(self.0)
    }

    pub(crate) fn as_text(self) -> Option<Text<'a>> {
        let inner = self.0.strip_prefix('"')?;
        Some(Text(inner.strip_suffix('"')?))
    }
}

/// A number that is nothing but digits.
#[inline(never)]
pub(crate) fn whole_number(digits: &str) -> Option<u64> {
    let mut number = None;
    for byte in digits.bytes() {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        let tens = match number {
            Some(number) if number > u64::MAX >> 4 => u64::checked_mul(number, 10)?,
            number => number.unwrap_or(0) * 10,
        };
        number = Some(tens.checked_add(digit.into())?);
    }
    number
}

/// See [`Json::parts`].
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    scanner: Scanner<'a>,
    is_object: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = (Text<'a>, Json<'a>);

    #[inline(never)]
    fn next(&mut self) -> Option<(Text<'a>, Json<'a>)> {
        let mut name = Text("");
        if self.is_object {
            name = self.scanner.text()?;
            self.scanner.expect(b':')?;
        }
        let value = self.scanner.json(LEVELS)?;
        self.scanner.eat(b',');
        Some((name, value))
    }
}
