//! COSE_Sign1 (RFC 9052 §4.2), just as much of it as our documents use.
//!
//! Tag 18, both header maps, embedded payload, no external data. The protected
//! header holds the algorithm, the key id and the document's type, so a
//! signature over one kind of document is never one over another.

use core::fmt;

use crate::canonical::{self, NotCanonical};
use crate::causes::causes;
use crate::distrust::Distrust;
use crate::key::{Algorithm, KeyId, PublicKey, SIGNATURE_BYTES};
use crate::reader::Reader;

#[cfg(feature = "sign")]
mod unsigned;

#[cfg(feature = "sign")]
pub(crate) use unsigned::{Encoded, encode, sign};
#[cfg(feature = "sign")]
pub use unsigned::{Unsigned, WrongSignature};

/// Header labels: RFC 9052 §3.1 and RFC 9596.
const ALGORITHM: i64 = 1;
const KEY_ID: i64 = 4;
const TYPE: i64 = 16;

const SIGN1_TAG: u64 = 18;

/// Why bytes are not a signed document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoseError {
    /// Not one deterministic CBOR item.
    NotCanonical(NotCanonical),
    /// CBOR, but not a COSE_Sign1 structure.
    Shape(Shape),
    /// A signature algorithm that this build does not verify.
    Algorithm {
        /// COSE's number of it.
        found: i64,
    },
    /// A signed document of another type.
    Type {
        /// The type that was asked for.
        expected: &'static str,
    },
}

impl fmt::Display for CoseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CoseError::NotCanonical(problem) => write!(f, "not deterministic CBOR: {problem}"),
            CoseError::Shape(problem) => write!(f, "not a COSE_Sign1 structure: {problem}"),
            CoseError::Algorithm { found } => {
                write!(f, "signature algorithm {found}, expected -8 (EdDSA) or -7 (ES256)")
            }
            CoseError::Type { expected } => write!(f, "not a document of type {expected}"),
        }
    }
}

impl core::error::Error for CoseError {}

causes! {
    /// What a COSE_Sign1 structure of ours does not have.
    Shape {
        NoTag = "no tag",
        OtherTag = "a tag other than 18",
        NoArray = "no array",
        NotFourParts = "not four parts",
        NoProtectedHeader = "no protected header",
        NoUnprotectedHeader = "no unprotected header",
        UnprotectedHeader = "an unprotected header that is not empty",
        NoPayload = "no payload",
        NoSignature = "no signature",
        SignatureLength = "a signature not of 64 bytes",
        ProtectedHeader = "a protected header other than algorithm, key id and type",
    }
}

/// A signed document, taken apart but not believed yet.
pub(crate) struct Envelope<'a> {
    pub(crate) key_id: KeyId,
    algorithm: Algorithm,
    pub(crate) payload: &'a [u8],
    protected: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> Envelope<'a> {
    /// Takes a COSE_Sign1 structure of the given document type apart.
    #[inline(never)]
    pub(crate) fn open(bytes: &'a [u8], document_type: &'static str) -> Result<Self, CoseError> {
        canonical::check(bytes).map_err(CoseError::NotCanonical)?;
        let shape = CoseError::Shape;
        let mut reader = Reader::new(bytes);
        if reader.tag().ok_or(shape(Shape::NoTag))? != SIGN1_TAG {
            return Err(shape(Shape::OtherTag));
        }
        if reader.array().ok_or(shape(Shape::NoArray))? != 4 {
            return Err(shape(Shape::NotFourParts));
        }
        let protected = reader.bytes().ok_or(shape(Shape::NoProtectedHeader))?;
        if reader.map().ok_or(shape(Shape::NoUnprotectedHeader))? != 0 {
            return Err(shape(Shape::UnprotectedHeader));
        }
        let payload = reader.bytes().ok_or(shape(Shape::NoPayload))?;
        let signature = reader.bytes().ok_or(shape(Shape::NoSignature))?;
        let signature = signature.try_into().map_err(|_| shape(Shape::SignatureLength))?;
        let (algorithm, key_id) = read_protected(protected, document_type)?;
        Ok(Envelope { key_id, algorithm, payload, protected, signature })
    }

    /// The same of at most `max_bytes`, which must be signed by one of these keys.
    pub(crate) fn signed_by(
        bytes: &'a [u8],
        document_type: &'static str,
        max_bytes: usize,
        keys: impl IntoIterator<Item = PublicKey>,
    ) -> Result<Self, Distrust> {
        let mut keys = keys.into_iter();
        Envelope::signed_by_next(bytes, document_type, max_bytes, &mut || keys.next())
    }

    /// The same for every kind of list: a device has no room for one of each.
    #[inline(never)]
    fn signed_by_next(
        bytes: &'a [u8],
        document_type: &'static str,
        max_bytes: usize,
        next_key: &mut dyn FnMut() -> Option<PublicKey>,
    ) -> Result<Self, Distrust> {
        if bytes.len() > max_bytes {
            return Err(Distrust::TooLarge { size_bytes: bytes.len() });
        }
        let envelope = Envelope::open(bytes, document_type).map_err(Distrust::Cose)?;
        let key_id = envelope.key_id;
        let mut distrust = Distrust::Key(key_id);
        while let Some(key) = next_key() {
            if key.id() != key_id {
                continue;
            }
            if envelope.is_signed_by(&key) {
                return Ok(envelope);
            }
            distrust = Distrust::Signature(key_id);
        }
        Err(distrust)
    }

    /// Whether `key` signed the payload under these headers.
    #[inline(never)]
    fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.algorithm() == self.algorithm
            && signed_bytes(self.protected, self.payload, |message| {
                key.verifies(message, self.signature)
            })
    }
}

/// The Sig_structure of RFC 9052 §4.4, in pieces: a device has no room for another copy.
fn signed_bytes<T>(protected: &[u8], payload: &[u8], then: impl FnOnce(&[&[u8]]) -> T) -> T {
    let (protected_head, payload_head) = (Head::new(protected.len()), Head::new(payload.len()));
    then(&[
        b"\x84\x6ASignature1",
        protected_head.as_bytes(),
        protected,
        b"\x40",
        payload_head.as_bytes(),
        payload,
    ])
}

/// What stands before a byte string, in the shortest form.
struct Head {
    bytes: [u8; 5],
    start: usize,
}

impl Head {
    fn new(length: usize) -> Head {
        let [a, b, c, d] = (length as u32).to_be_bytes();
        match length {
            0..24 => Head { bytes: [0, 0, 0, 0, 0x40 | d], start: 4 },
            24..0x100 => Head { bytes: [0, 0, 0, 0x58, d], start: 3 },
            0x100..0x1_0000 => Head { bytes: [0, 0, 0x59, c, d], start: 2 },
            _ => Head { bytes: [0x5A, a, b, c, d], start: 0 },
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// Exactly the three headers of [`sign`]: what is not understood cannot be honoured.
fn read_protected(
    protected: &[u8],
    document_type: &'static str,
) -> Result<(Algorithm, KeyId), CoseError> {
    canonical::check(protected).map_err(CoseError::NotCanonical)?;
    let other = CoseError::Shape(Shape::ProtectedHeader);
    let mut reader = Reader::new(protected);
    if reader.map() != Some(3) || reader.int() != Some(ALGORITHM) {
        return Err(other);
    }
    let found = reader.int().ok_or(other)?;
    let algorithm = Algorithm::from_cose_number(found).ok_or(CoseError::Algorithm { found })?;
    if reader.int() != Some(KEY_ID) {
        return Err(other);
    }
    let key_id = reader.bytes().ok_or(other)?.try_into().map_err(|_| other)?;
    if reader.int() != Some(TYPE) {
        return Err(other);
    }
    if reader.text().ok_or(other)? != document_type.as_bytes() {
        return Err(CoseError::Type { expected: document_type });
    }
    Ok((algorithm, KeyId(key_id)))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn what_is_signed_is_encoded_as_an_encoder_would() {
        for length in [0, 23, 24, 255, 256, 65_535, 65_536] {
            let payload = vec![7; length];
            let expected = encode(|encoder| {
                let encoder = encoder.array(4)?.str("Signature1")?.bytes(&payload)?;
                encoder.bytes(&[])?.bytes(&payload)?.ok()
            });
            assert_eq!(signed_bytes(&payload, &payload, |pieces| pieces.concat()), expected);
        }
    }
}
