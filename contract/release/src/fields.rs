//! Documents are CBOR maps from field numbers to values; this reads them.

use alloc::vec::Vec;
use core::fmt;

use minicbor::Decoder;
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::canonical::{self, NotCanonical};

/// Why a payload is not the document it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// Not one deterministic CBOR item.
    NotCanonical(NotCanonical),
    /// Not a map whose keys are field numbers.
    NotFields,
    /// A format version this build cannot read.
    Format {
        /// The version found.
        found: u64,
    },
    /// A field is there and its value is wrong.
    Value {
        /// The field's number.
        field: u64,
        /// What the value should be.
        expected: &'static str,
    },
    /// A field is there and says nothing.
    Empty {
        /// The field's number.
        field: u64,
    },
    /// A field that must be there is not.
    Missing {
        /// The field's number.
        field: u64,
    },
    /// The document needs a field understood that this build does not know.
    Critical {
        /// The field's number.
        field: u64,
    },
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::NotCanonical(problem) => write!(f, "not deterministic CBOR: {problem}"),
            FieldError::NotFields => f.write_str("not a map of numbered fields"),
            FieldError::Format { found } => write!(f, "format version {found}, expected 1"),
            FieldError::Value { field, expected } => write!(f, "field {field} is not {expected}"),
            FieldError::Empty { field } => write!(f, "field {field} is empty"),
            FieldError::Missing { field } => write!(f, "field {field} is missing"),
            FieldError::Critical { field } => {
                write!(f, "field {field} must be understood and is not known")
            }
        }
    }
}

impl core::error::Error for FieldError {}

/// Field 1 of every document: the version of its format.
pub(crate) const FORMAT: u64 = 1;
/// The one version that exists.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// The fields of one document, in rising order of their numbers.
pub(crate) struct Fields<'b> {
    decoder: Decoder<'b>,
    remaining: u64,
    field: u64,
}

impl<'b> Fields<'b> {
    /// Opens a payload and reads its first field, the format version.
    pub(crate) fn open(payload: &'b [u8]) -> Result<Fields<'b>, FieldError> {
        canonical::check(payload).map_err(FieldError::NotCanonical)?;
        let mut decoder = Decoder::new(payload);
        let remaining = decoder.map().ok().flatten().ok_or(FieldError::NotFields)?;
        let mut fields = Fields { decoder, remaining, field: 0 };
        if fields.next()? != Some(FORMAT) {
            return Err(FieldError::Missing { field: FORMAT });
        }
        match fields.uint()? {
            FORMAT_VERSION => Ok(fields),
            found => Err(FieldError::Format { found }),
        }
    }

    /// The next field's number; its value must then be read or skipped.
    pub(crate) fn next(&mut self) -> Result<Option<u64>, FieldError> {
        if self.remaining == 0 {
            return Ok(None);
        }
        self.remaining -= 1;
        self.field = self.decoder.u64().map_err(|_| FieldError::NotFields)?;
        Ok(Some(self.field))
    }

    /// The error for the current field.
    pub(crate) fn not(&self, expected: &'static str) -> FieldError {
        FieldError::Value { field: self.field, expected }
    }

    pub(crate) fn uint(&mut self) -> Result<u64, FieldError> {
        self.decoder.u64().map_err(|_| self.not("an unsigned number"))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FieldError> {
        self.decoder.u32().map_err(|_| self.not("a number below 2^32"))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FieldError> {
        self.decoder.u16().map_err(|_| self.not("a number below 65536"))
    }

    pub(crate) fn int(&mut self) -> Result<i64, FieldError> {
        self.decoder.i64().map_err(|_| self.not("a number"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, FieldError> {
        self.decoder.bool().map_err(|_| self.not("true or false"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], FieldError> {
        self.decoder.bytes().map_err(|_| self.not("a byte string"))
    }

    /// A text of the given kind.
    pub(crate) fn text<T>(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FieldError> {
        self.decoder.str().ok().and_then(parse).ok_or(self.not(expected))
    }

    pub(crate) fn product(&mut self) -> Result<ProductName, FieldError> {
        self.text("a product name", |text| ProductName::new(text).ok())
    }

    pub(crate) fn version(&mut self) -> Result<ReleaseVersion, FieldError> {
        let field = self.field;
        let expected = "a release version";
        match self.decoder.str() {
            Ok("") => Err(FieldError::Empty { field }),
            Ok(text) => ReleaseVersion::new(text).map_err(|_| self.not(expected)),
            Err(_) => Err(self.not(expected)),
        }
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, FieldError> {
        let bytes: [u8; 32] = self.bytes()?.try_into().map_err(|_| self.not("32 bytes"))?;
        Ok(Digest(bytes))
    }

    /// A list of at most `max` items.
    pub(crate) fn list<T>(
        &mut self,
        max: u64,
        mut item: impl FnMut(&mut Fields<'b>) -> Result<T, FieldError>,
    ) -> Result<Vec<T>, FieldError> {
        let count = self.decoder.array().ok().flatten().filter(|&count| count <= max);
        let count = count.ok_or(self.not("a list, or it is too long"))?;
        (0..count).map(|_| item(self)).collect()
    }

    /// A list of exactly two items, whose values are read next.
    pub(crate) fn pair(&mut self) -> Result<(), FieldError> {
        match self.decoder.array() {
            Ok(Some(2)) => Ok(()),
            _ => Err(self.not("made of pairs")),
        }
    }

    /// The list of fields that must be understood; all of them are up to `known`.
    pub(crate) fn critical(&mut self, known: u64) -> Result<(), FieldError> {
        let critical = self.list(MAX_CRITICAL, Fields::uint)?;
        match critical.into_iter().find(|&field| field > known) {
            Some(field) => Err(FieldError::Critical { field }),
            None => Ok(()),
        }
    }

    pub(crate) fn skip(&mut self) -> Result<(), FieldError> {
        self.decoder.skip().map_err(|_| FieldError::NotFields)
    }
}

/// More fields than any version of a document will call critical.
const MAX_CRITICAL: u64 = 32;

/// The value of a field that must be there.
pub(crate) fn required<T>(value: Option<T>, field: u64) -> Result<T, FieldError> {
    value.ok_or(FieldError::Missing { field })
}
