//! Takes CBOR apart that `canonical::check` has passed.

use crate::canonical::{self, Walk};

/// Major types (RFC 8949 §3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// Reads one item after the other; `None` is an item of another kind.
pub(crate) struct Reader<'b>(Walk<'b>);

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader(Walk::new(bytes))
    }

    pub(crate) fn uint(&mut self) -> Option<u64> {
        self.argument(UNSIGNED)
    }

    pub(crate) fn int(&mut self) -> Option<i64> {
        let (major, argument) = self.0.head().ok()?;
        let number = i64::try_from(argument).ok()?;
        match major {
            UNSIGNED => Some(number),
            NEGATIVE => Some(!number),
            _ => None,
        }
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.argument(SIMPLE)? {
            20 => Some(false),
            21 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.argument(BYTES)?;
        self.0.take(length).ok()
    }

    /// A text's bytes, which are UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'b [u8]> {
        let length = self.argument(TEXT)?;
        self.0.take(length).ok()
    }

    /// The number of items that follow.
    pub(crate) fn array(&mut self) -> Option<u64> {
        self.argument(ARRAY)
    }

    /// The number of pairs of items that follow.
    pub(crate) fn map(&mut self) -> Option<u64> {
        self.argument(MAP)
    }

    pub(crate) fn tag(&mut self) -> Option<u64> {
        self.argument(TAG)
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.0.rest()
    }

    pub(crate) fn skip(&mut self) -> Option<()> {
        self.0.item(canonical::MAX_DEPTH).ok()
    }

    #[inline(never)] // A chip has room for it once.
    fn argument(&mut self, expected: u8) -> Option<u64> {
        let (major, argument) = self.0.head().ok()?;
        (major == expected).then_some(argument)
    }
}
