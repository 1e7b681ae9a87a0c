use core::fmt;

use crate::canonical::NotCanonical;
use crate::causes::causes;

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
        expected: Expected,
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

causes! {
    /// What a field's value should be.
    Expected {
        Unsigned = "an unsigned number",
        Below2To32 = "a number below 2^32",
        Below65536 = "a number below 65536",
        Number = "a number",
        Flag = "true or false",
        Bytes = "a byte string",
        ProductName = "a product name",
        ReleaseVersion = "a release version",
        Bytes32 = "32 bytes",
        List = "a list, or it is too long",
        Pairs = "made of pairs",
        ThingName = "a thing name",
        Bytes16 = "16 bytes",
        UpdateId = "an update id",
        Threshold = "1, the only threshold of format version 1",
        KnownKeys = "a list with a known kind of key",
        UsableKeys = "made of usable keys",
        KeyIds = "made of key ids",
        ChipName = "a chip's name",
        Digests = "a multiple of 32 bytes",
        AboveZero = "above zero",
        DigestPerChunk = "one digest per 64 KiB of field 9",
        OneRole = "a key that has no other role",
        UnnamedKeys = "made of keys that the document does not name",
    }
}
