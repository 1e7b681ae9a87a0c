use alloc::vec::Vec;
use core::fmt;

use minicbor::Encoder;
use otaru_wire::Digest;

use super::{ALGORITHM, KEY_ID, SIGN1_TAG, TYPE, signed_bytes};
use crate::key::{Algorithm, PublicKey, SIGNATURE_BYTES, SecretKey};

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

/// A document that waits for its signature, which whoever holds the key makes.
#[derive(Clone, Debug)]
pub struct Unsigned {
    key: PublicKey,
    protected: Vec<u8>,
    payload: Vec<u8>,
}

/// The signature is not the named key's over this document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSignature;

impl fmt::Display for WrongSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature is not that key's over this document")
    }
}

impl core::error::Error for WrongSignature {}

impl Unsigned {
    /// A payload to be signed by `key` as a document of a type.
    pub(crate) fn new(payload: Vec<u8>, document_type: &'static str, key: PublicKey) -> Unsigned {
        let protected = encode(|encoder| {
            encoder.map(3)?.i64(ALGORITHM)?.i64(key.algorithm().cose_number())?;
            encoder.i64(KEY_ID)?.bytes(&key.id().0)?;
            encoder.i64(TYPE)?.str(document_type)?.ok()
        });
        Unsigned { key, protected, payload }
    }

    /// Whose signature it waits for.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The bytes a signature covers: the Sig_structure of RFC 9052 §4.4.
    pub fn to_be_signed(&self) -> Vec<u8> {
        signed_bytes(&self.protected, &self.payload, |pieces| pieces.concat())
    }

    /// What a signer outside is handed: an Ed25519 key signs messages, so
    /// [`Unsigned::to_be_signed`] itself; a P-256 key signs digests, so its SHA-256.
    pub fn for_signer(&self) -> Vec<u8> {
        let message = self.to_be_signed();
        match self.key.algorithm() {
            Algorithm::Ed25519 => message,
            Algorithm::P256 => Digest::of(&message).as_bytes().to_vec(),
        }
    }

    /// The whole document with a signature made elsewhere.
    ///
    /// # Errors
    /// [`WrongSignature`]: what nobody would accept is not written.
    pub fn with_signature(
        &self,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<Vec<u8>, WrongSignature> {
        match self.key.verifies(&[&self.to_be_signed()], signature) {
            true => Ok(self.sealed(signature)),
            false => Err(WrongSignature),
        }
    }

    /// The whole document, signed by the private half of its key.
    ///
    /// # Errors
    /// [`WrongSignature`] if `key` is another one.
    pub fn signed_by(&self, key: &SecretKey) -> Result<Vec<u8>, WrongSignature> {
        if key.public_key() == self.key { Ok(self.sign(key)) } else { Err(WrongSignature) }
    }

    /// The whole document, signed by what must be the private half of its key.
    pub(crate) fn sign(&self, key: &SecretKey) -> Vec<u8> {
        self.sealed(&key.sign(&self.to_be_signed()))
    }

    fn sealed(&self, signature: &[u8; SIGNATURE_BYTES]) -> Vec<u8> {
        encode(|encoder| {
            encoder.tag(minicbor::data::Tag::new(SIGN1_TAG))?.array(4)?.bytes(&self.protected)?;
            encoder.map(0)?.bytes(&self.payload)?.bytes(signature)?.ok()
        })
    }
}
