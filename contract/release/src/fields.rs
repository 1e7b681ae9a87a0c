//! Documents are CBOR maps from field numbers to values; this reads them by a table of rules.

use otaru_wire::Digest;

use crate::canonical;
use crate::key::ListedKeys;
use crate::reader::Reader;

mod error;
mod kind;

pub use error::{Expected, FieldError};
pub(crate) use kind::Kind;

/// Field 1 of every document: the version of its format.
pub(crate) const FORMAT: u8 = 1;
/// The one version that exists.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// One field of a document.
pub(crate) struct Rule {
    /// Its number.
    pub(crate) field: u8,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether it must be there.
    pub(crate) is_required: bool,
}

impl Rule {
    pub(crate) const fn required(field: u8, kind: Kind) -> Rule {
        assert!((field as usize) < END, "a place for its value");
        Rule { field, kind, is_required: true }
    }

    pub(crate) const fn optional(field: u8, kind: Kind) -> Rule {
        assert!((field as usize) < END, "a place for its value");
        Rule { field, kind, is_required: false }
    }
}

/// Field numbers that any document has are below this.
const END: usize = 16;

/// The fields of one document, where they lie.
pub(crate) struct Fields<'b> {
    values: [Option<Value<'b>>; END],
}

/// A value that its kind allows.
#[derive(Clone, Copy)]
pub(crate) struct Value<'b> {
    /// A number, a flag, or how many items a list has.
    pub(crate) number: u64,
    /// A text, bytes, or from where a list's items begin.
    pub(crate) bytes: &'b [u8],
}

impl<'b> Fields<'b> {
    /// Reads a document of format version 1 whose fields these rules name, in rising order.
    /// Others are left out, unless the document says that they must be understood.
    #[inline(never)]
    pub(crate) fn read(payload: &'b [u8], rules: &[Rule]) -> Result<Fields<'b>, FieldError> {
        canonical::check(payload).map_err(FieldError::NotCanonical)?;
        let mut reader = Reader::new(payload);
        let mut fields = Fields { values: [None; END] };
        let last = rules.last().map_or(0, |rule| rule.field);
        let count = reader.map().ok_or(FieldError::NotFields)?;
        check_format(&mut reader, count)?;
        for _ in 1..count {
            let field = reader.uint().ok_or(FieldError::NotFields)?;
            match rules.iter().find(|rule| u64::from(rule.field) == field) {
                Some(rule) => {
                    let value = kind::read(rule.kind, &mut reader, last);
                    let value = value.map_err(|refused| refused.in_field(field))?;
                    fields.values[usize::from(rule.field) % END] = value;
                }
                None => reader.skip().ok_or(FieldError::NotFields)?,
            }
        }
        let is_missing = |rule: &&Rule| rule.is_required && fields.value(rule.field).is_none();
        match rules.iter().find(is_missing) {
            Some(rule) => Err(FieldError::Missing { field: rule.field.into() }),
            None => Ok(fields),
        }
    }

    fn value(&self, field: u8) -> Option<Value<'b>> {
        self.values[usize::from(field) % END]
    }

    /// The number of a field that need not be there.
    pub(crate) fn optional(&self, field: u8) -> Option<u64> {
        self.value(field).map(|value| value.number)
    }

    /// The number of a field, 0 where it is not there.
    pub(crate) fn number(&self, field: u8) -> u64 {
        self.optional(field).unwrap_or(0)
    }

    /// The time of a field that need not be there.
    pub(crate) fn time(&self, field: u8) -> Option<i64> {
        self.optional(field).map(|seconds| seconds as i64)
    }

    /// Whether a flag is there and set.
    pub(crate) fn flag(&self, field: u8) -> bool {
        self.number(field) != 0
    }

    /// The 32 bytes of a digest that must be there.
    pub(crate) fn digest(&self, field: u8) -> Digest {
        Digest(self.bytes(field).try_into().unwrap_or_default())
    }

    /// The keys of a list.
    pub(crate) fn keys(&self, field: u8) -> ListedKeys<'b> {
        ListedKeys { remaining: self.number(field), reader: self.items(field) }
    }

    /// Reads the items of a list, of which there are [`Fields::number`].
    pub(crate) fn items(&self, field: u8) -> Reader<'b> {
        Reader::new(self.bytes(field))
    }

    /// The text or bytes of a field, none where it is not there.
    pub(crate) fn bytes(&self, field: u8) -> &'b [u8] {
        self.value(field).map_or(&[], |value| value.bytes)
    }
}

/// The first field says how the others are to be read.
fn check_format(reader: &mut Reader<'_>, count: u64) -> Result<(), FieldError> {
    let field = u64::from(FORMAT);
    if count == 0 || reader.uint().ok_or(FieldError::NotFields)? != field {
        return Err(FieldError::Missing { field });
    }
    match reader.uint() {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) => Err(FieldError::Format { found }),
        None => Err(FieldError::Value { field, expected: Expected::Unsigned }),
    }
}

/// A text that was found to be ASCII when the document was read, as its type.
pub(crate) fn text<T>(text: &[u8], parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    parse(core::str::from_utf8(text).ok()?)
}
