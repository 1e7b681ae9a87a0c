//! What a field may hold.

use otaru_wire::{Alphabet, ProductName, ReleaseVersion, ThingName, UpdateId};

use super::{Expected, FieldError, Value};
use crate::image::OtherChip;
use crate::key::{Algorithm, ListedKey};
use crate::order::NONCE_BYTES;
use crate::reader::Reader;

/// What a field holds; see `docs/formats.md`.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// An unsigned number.
    Unsigned,
    /// One that is not 0.
    AboveZero,
    /// One of 32 bits.
    Below2To32,
    /// One of 16 bits.
    Below65536,
    /// How many keys must sign: 1.
    Threshold,
    /// Seconds since 1970, which may be below 0.
    Time,
    /// `true` or `false`.
    Flag,
    /// A SHA-256.
    Digest,
    /// Any number of them, in one byte string.
    Digests,
    /// A device's random number.
    Nonce,
    /// A product's name.
    Product,
    /// A thing's name.
    Thing,
    /// A release's version.
    Version,
    /// An update's id.
    Update,
    /// The name of a chip, known or not.
    Chip,
    /// A key.
    Key,
    /// At most 8 keys, one of them at least of an algorithm that this build knows.
    Keys,
    /// At most 64 key ids.
    KeyIds,
    /// At most 16 pairs of a product and a sequence number.
    Dependencies,
    /// At most 32 numbers of fields that must be understood.
    Critical,
}

/// Why a value is refused.
pub(super) enum Refused {
    /// It is none of its kind.
    Not(Expected),
    /// It says nothing.
    Empty,
    /// It names a field that this build does not know.
    Unknown(u64),
}

impl Refused {
    pub(super) fn in_field(self, field: u64) -> FieldError {
        match self {
            Refused::Not(expected) => FieldError::Value { field, expected },
            Refused::Empty => FieldError::Empty { field },
            Refused::Unknown(field) => FieldError::Critical { field },
        }
    }
}

/// Reads a value; `last` is the highest field number that is understood.
///
/// None is a key of an algorithm that this build does not know, which counts as not there.
pub(super) fn read<'b>(
    kind: Kind,
    reader: &mut Reader<'b>,
    last: u8,
) -> Result<Option<Value<'b>>, Refused> {
    let mut value = Value { number: 0, bytes: &[] };
    match kind {
        Kind::Unsigned => value.number = number(reader, u64::MAX, Expected::Unsigned)?,
        Kind::Below2To32 => value.number = number(reader, u32::MAX.into(), Expected::Below2To32)?,
        Kind::Below65536 => value.number = number(reader, u16::MAX.into(), Expected::Below65536)?,
        Kind::AboveZero => {
            value.number = number(reader, u64::MAX, Expected::Unsigned)?;
            check(value.number > 0, Expected::AboveZero)?;
        }
        Kind::Threshold => {
            check(number(reader, u64::MAX, Expected::Unsigned)? == 1, Expected::Threshold)?;
        }
        Kind::Time => value.number = some(reader.int(), Expected::Number)? as u64,
        Kind::Flag => value.number = some(reader.flag(), Expected::Flag)?.into(),
        Kind::Digest => value.bytes = bytes(reader, 32, Expected::Bytes32)?,
        Kind::Nonce => value.bytes = bytes(reader, NONCE_BYTES, Expected::Bytes16)?,
        Kind::Digests => {
            value.bytes = some(reader.bytes(), Expected::Bytes)?;
            check(value.bytes.len().is_multiple_of(32), Expected::Digests)?;
        }
        Kind::Product => {
            value.bytes = text(reader, &ProductName::ALPHABET, Expected::ProductName)?;
        }
        Kind::Thing => value.bytes = text(reader, &ThingName::ALPHABET, Expected::ThingName)?,
        Kind::Update => value.bytes = text(reader, &UpdateId::ALPHABET, Expected::UpdateId)?,
        Kind::Chip => value.bytes = text(reader, &OtherChip::ALPHABET, Expected::ChipName)?,
        Kind::Version => {
            value.bytes = some(reader.text(), Expected::ReleaseVersion)?;
            if value.bytes.is_empty() {
                return Err(Refused::Empty);
            }
            check(ReleaseVersion::ALPHABET.allows(value.bytes), Expected::ReleaseVersion)?;
        }
        // A list of one key, without the list's head.
        Kind::Key => {
            value = Value { number: 1, bytes: reader.rest() };
            if !is_known_key(reader)? {
                return Ok(None);
            }
        }
        Kind::Keys => {
            let known = list(reader, &mut value, 8, |reader| is_known_key(reader).map(u64::from))?;
            check(known > 0, Expected::KnownKeys)?;
        }
        Kind::KeyIds => {
            let key_id = |reader: &mut _| bytes(reader, 8, Expected::KeyIds).map(|_| 0);
            list(reader, &mut value, 64, key_id)?;
        }
        Kind::Dependencies => {
            list(reader, &mut value, 16, dependency)?;
        }
        Kind::Critical => {
            let field = |reader: &mut _| number(reader, u64::MAX, Expected::Unsigned);
            let highest = list(reader, &mut value, 32, field)?;
            if highest > last.into() {
                return Err(Refused::Unknown(highest));
            }
        }
    }
    Ok(Some(value))
}

fn some<T>(value: Option<T>, expected: Expected) -> Result<T, Refused> {
    value.ok_or(Refused::Not(expected))
}

fn check(is_good: bool, expected: Expected) -> Result<(), Refused> {
    if is_good { Ok(()) } else { Err(Refused::Not(expected)) }
}

fn number(reader: &mut Reader<'_>, most: u64, expected: Expected) -> Result<u64, Refused> {
    some(reader.uint().filter(|&number| number <= most), expected)
}

fn bytes<'b>(
    reader: &mut Reader<'b>,
    length: usize,
    expected: Expected,
) -> Result<&'b [u8], Refused> {
    let bytes = some(reader.bytes(), Expected::Bytes)?;
    check(bytes.len() == length, expected)?;
    Ok(bytes)
}

fn text<'b>(
    reader: &mut Reader<'b>,
    alphabet: &Alphabet,
    expected: Expected,
) -> Result<&'b [u8], Refused> {
    let text = some(reader.text(), expected)?;
    check(alphabet.allows(text), expected)?;
    Ok(text)
}

fn pair(reader: &mut Reader<'_>) -> Result<(), Refused> {
    check(reader.array() == Some(2), Expected::Pairs)
}

/// Whether this build knows the key's algorithm; such a key must be one that can be used.
fn is_known_key(reader: &mut Reader<'_>) -> Result<bool, Refused> {
    pair(reader)?;
    let number = some(reader.int(), Expected::Number)?;
    let Some(algorithm) = Algorithm::from_cose_number(number) else {
        some(reader.skip(), Expected::UsableKeys)?;
        return Ok(false);
    };
    let key = ListedKey { algorithm, bytes: some(reader.bytes(), Expected::Bytes)? };
    check(key.is_usable(), Expected::UsableKeys)?;
    Ok(true)
}

fn dependency(reader: &mut Reader<'_>) -> Result<u64, Refused> {
    pair(reader)?;
    text(reader, &ProductName::ALPHABET, Expected::ProductName)?;
    number(reader, u64::MAX, Expected::Unsigned)
}

/// A list of at most so many items, and the highest number that an item is. The value is how
/// many there are, and where the first begins.
#[inline(never)] // A chip has room for it once.
fn list<'b>(
    reader: &mut Reader<'b>,
    value: &mut Value<'b>,
    most: u64,
    item: fn(&mut Reader<'b>) -> Result<u64, Refused>,
) -> Result<u64, Refused> {
    value.number = some(reader.array().filter(|&count| count <= most), Expected::List)?;
    value.bytes = reader.rest();
    (0..value.number).try_fold(0, |highest, _| Ok(item(reader)?.max(highest)))
}
