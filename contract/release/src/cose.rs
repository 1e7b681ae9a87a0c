//! COSE_Sign1 (RFC 9052 §4.2), just as much of it as our documents use.
//!
//! Tag 18, both header maps, embedded payload, no external data. The protected
//! header holds the algorithm, the key id and the document's type, so a
//! signature over one kind of document is never one over another.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};

use crate::canonical::{self, NotCanonical};
use crate::key::{Algorithm, KeyId, PublicKey, SIGNATURE_BYTES, SecretKey};

mod unsigned;

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
    Shape(&'static str),
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

/// A signed document, taken apart but not believed yet.
pub(crate) struct Envelope<'a> {
    pub(crate) key_id: KeyId,
    algorithm: Algorithm,
    pub(crate) payload: &'a [u8],
    protected: &'a [u8],
    signature: [u8; SIGNATURE_BYTES],
}

impl<'a> Envelope<'a> {
    /// Takes a COSE_Sign1 structure of the given document type apart.
    pub(crate) fn open(bytes: &'a [u8], document_type: &'static str) -> Result<Self, CoseError> {
        canonical::check(bytes).map_err(CoseError::NotCanonical)?;
        let shape = |problem| move |_: minicbor::decode::Error| CoseError::Shape(problem);
        let mut decoder = Decoder::new(bytes);
        if decoder.tag().map_err(shape("no tag"))?.as_u64() != SIGN1_TAG {
            return Err(CoseError::Shape("a tag other than 18"));
        }
        if decoder.array().map_err(shape("no array"))? != Some(4) {
            return Err(CoseError::Shape("not four parts"));
        }
        let protected = decoder.bytes().map_err(shape("no protected header"))?;
        if decoder.map().map_err(shape("no unprotected header"))? != Some(0) {
            return Err(CoseError::Shape("an unprotected header that is not empty"));
        }
        let payload = decoder.bytes().map_err(shape("no payload"))?;
        let signature = decoder.bytes().map_err(shape("no signature"))?;
        let signature =
            signature.try_into().map_err(|_| CoseError::Shape("a signature not of 64 bytes"))?;
        let (algorithm, key_id) = read_protected(protected, document_type)?;
        Ok(Envelope { key_id, algorithm, payload, protected, signature })
    }

    /// Whether `key` signed the payload under these headers.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.algorithm() == self.algorithm
            && key.id() == self.key_id
            && key.verifies(&signed_bytes(self.protected, self.payload), &self.signature)
    }
}

/// Signs a payload; the result is the whole COSE_Sign1 structure.
pub(crate) fn sign(payload: &[u8], document_type: &'static str, key: &SecretKey) -> Vec<u8> {
    Unsigned::new(payload.to_vec(), document_type, key.public_key()).sign(key)
}

/// A result of encoding into memory, which cannot fail.
pub(crate) type Encoded = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

/// Encodes into a fresh vector.
pub(crate) fn encode(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes)).expect("a vector takes every write");
    bytes
}

/// The Sig_structure of RFC 9052 §4.4.
fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    encode(|encoder| {
        encoder.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload)?.ok()
    })
}

/// Exactly the three headers of [`sign`]: what is not understood cannot be honoured.
fn read_protected(
    protected: &[u8],
    document_type: &'static str,
) -> Result<(Algorithm, KeyId), CoseError> {
    canonical::check(protected).map_err(CoseError::NotCanonical)?;
    let shape = |_: minicbor::decode::Error| {
        CoseError::Shape("a protected header other than algorithm, key id and type")
    };
    let other = CoseError::Shape("a protected header other than algorithm, key id and type");
    let mut decoder = Decoder::new(protected);
    if decoder.map().map_err(shape)? != Some(3) || decoder.i64().map_err(shape)? != ALGORITHM {
        return Err(other);
    }
    let found = decoder.i64().map_err(shape)?;
    let algorithm = Algorithm::from_cose_number(found).ok_or(CoseError::Algorithm { found })?;
    if decoder.i64().map_err(shape)? != KEY_ID {
        return Err(other);
    }
    let key_id = decoder.bytes().map_err(shape)?.try_into().map_err(|_| other)?;
    if decoder.i64().map_err(shape)? != TYPE {
        return Err(other);
    }
    if decoder.str().map_err(shape)? != document_type {
        return Err(CoseError::Type { expected: document_type });
    }
    Ok((algorithm, KeyId(key_id)))
}
