//! Documents are CBOR maps from field numbers to values; this reads them.

use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::canonical;
use crate::reader::Reader;

mod error;

pub use error::{Expected, FieldError};

/// Field 1 of every document: the version of its format.
pub(crate) const FORMAT: u64 = 1;
/// The one version that exists.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// Reads a document: `gather` takes its fields, and gives `None` where a required one is missing.
pub(crate) fn read_document<T>(
    payload: &[u8],
    required: &[u64],
    gather: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, FieldError> {
    let mut fields = Fields::open(payload);
    match gather(&mut fields) {
        Some(document) if fields.error.is_none() => Ok(document),
        _ => Err(fields.refusal(required)),
    }
}

/// The fields of one document, in rising order of their numbers.
///
/// The first thing that is wrong ends the document and is remembered: what reads a value gives
/// `None`, and [`read_document`] says why. So a document is read without asking after each field.
pub(crate) struct Fields<'b> {
    reader: Reader<'b>,
    remaining: u64,
    field: u64,
    /// A bit for each field number that came.
    seen: u32,
    error: Option<FieldError>,
}

impl<'b> Fields<'b> {
    /// Opens a payload and reads its first field, the format version.
    fn open(payload: &'b [u8]) -> Fields<'b> {
        let reader = Reader::new(payload);
        let mut fields = Fields { reader, remaining: 0, field: 0, seen: 0, error: None };
        if let Err(problem) = canonical::check(payload) {
            fields.fail(FieldError::NotCanonical(problem));
            return fields;
        }
        match fields.reader.map() {
            Some(count) => fields.remaining = count,
            None => fields.fail(FieldError::NotFields),
        }
        match fields.next() {
            Some(FORMAT) => {}
            _ => fields.fail(FieldError::Missing { field: FORMAT }),
        }
        match fields.uint() {
            Some(FORMAT_VERSION) | None => {}
            Some(found) => fields.fail(FieldError::Format { found }),
        }
        fields
    }

    /// The next field's number; its value must then be read or skipped.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.remaining == 0 || self.error.is_some() {
            return None;
        }
        self.remaining -= 1;
        let Some(field) = self.reader.uint() else {
            self.fail(FieldError::NotFields);
            return None;
        };
        self.field = field;
        self.seen |= bit(field);
        Some(field)
    }

    /// What was wrong first; else which of the required fields is missing.
    fn refusal(&self, required: &[u64]) -> FieldError {
        let missing = required.iter().find(|&&field| self.seen & bit(field) == 0);
        match (self.error, missing) {
            (None, Some(&field)) => FieldError::Missing { field },
            (error, _) => error.unwrap_or(FieldError::NotFields),
        }
    }

    #[inline(never)]
    fn fail(&mut self, error: FieldError) {
        if self.error.is_none() {
            self.error = Some(error);
        }
    }

    /// Refuses the value of a field.
    #[inline(never)]
    pub(crate) fn refuse(&mut self, field: u64, expected: Expected) {
        self.fail(FieldError::Value { field, expected });
    }

    /// A value of the current field, refused if there is none.
    pub(crate) fn value<T>(&mut self, value: Option<T>, expected: Expected) -> Option<T> {
        if value.is_none() {
            self.refuse(self.field, expected);
        }
        value
    }

    pub(crate) fn uint(&mut self) -> Option<u64> {
        let number = self.reader.uint();
        self.value(number, Expected::Unsigned)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let number = self.reader.uint().and_then(|number| number.try_into().ok());
        self.value(number, Expected::Below2To32)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let number = self.reader.uint().and_then(|number| number.try_into().ok());
        self.value(number, Expected::Below65536)
    }

    pub(crate) fn int(&mut self) -> Option<i64> {
        let number = self.reader.int();
        self.value(number, Expected::Number)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        let flag = self.reader.flag();
        self.value(flag, Expected::Flag)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'b [u8]> {
        let bytes = self.reader.bytes();
        self.value(bytes, Expected::Bytes)
    }

    /// A text of the given kind.
    pub(crate) fn text<T>(
        &mut self,
        expected: Expected,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.reader.text().and_then(parse);
        self.value(value, expected)
    }

    pub(crate) fn product(&mut self) -> Option<ProductName> {
        self.text(Expected::ProductName, ProductName::parse)
    }

    pub(crate) fn version(&mut self) -> Option<ReleaseVersion> {
        match self.reader.text() {
            Some("") => {
                self.fail(FieldError::Empty { field: self.field });
                None
            }
            text => {
                let version = text.and_then(ReleaseVersion::parse);
                self.value(version, Expected::ReleaseVersion)
            }
        }
    }

    pub(crate) fn digest(&mut self) -> Option<Digest> {
        let bytes = self.bytes()?;
        self.value(bytes.try_into().ok().map(Digest), Expected::Bytes32)
    }

    /// A list of at most `max` items; an item that is `None` is left out.
    pub(crate) fn list<T>(
        &mut self,
        max: u64,
        mut item: impl FnMut(&mut Fields<'b>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = self.count(max)?;
        let mut items = Vec::new();
        for _ in 0..count {
            if let Some(item) = item(self) {
                items.push(item);
            }
        }
        Some(items)
    }

    fn count(&mut self, max: u64) -> Option<u64> {
        let count = self.reader.array().filter(|&count| count <= max);
        self.value(count, Expected::List)
    }

    /// A list of exactly two items, whose values are read next.
    pub(crate) fn pair(&mut self) -> Option<()> {
        let pair = self.reader.array().filter(|&count| count == 2);
        self.value(pair.map(|_| ()), Expected::Pairs)
    }

    /// The list of fields that must be understood; all of them are up to `known`.
    pub(crate) fn critical(&mut self, known: u64) {
        for _ in 0..self.count(MAX_CRITICAL).unwrap_or_default() {
            match self.uint() {
                Some(field) if field > known => self.fail(FieldError::Critical { field }),
                _ => {}
            }
        }
    }

    pub(crate) fn skip(&mut self) {
        if self.reader.skip().is_none() {
            self.fail(FieldError::NotFields);
        }
    }
}

/// More fields than any version of a document will call critical.
const MAX_CRITICAL: u64 = 32;

/// Zero for a number above those of all documents.
fn bit(field: u64) -> u32 {
    u32::try_from(field).ok().and_then(|field| 1_u32.checked_shl(field)).unwrap_or(0)
}
