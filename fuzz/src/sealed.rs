//! Signs any payload, so that mutated ones get past the signature check.
//!
//! COSE_Sign1 written from RFC 9052 and `docs/formats.md`, not with the code
//! under attack.

use ed25519_dalek::{Signer, SigningKey};
use minicbor::Encoder;
use minicbor::data::Tag;
use minicbor::encode::Error;
use otaru_release::{PublicKey, RootDocument, SecretKey};

type Buffer = Encoder<Vec<u8>>;
type Written = Result<(), Error<std::convert::Infallible>>;

/// The secret of the key that seals.
pub(crate) const SEED: [u8; 32] = [7; 32];

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&SEED)
}

/// The root document whose root key and release key is the one that seals.
pub(crate) fn root() -> RootDocument {
    let key = PublicKey::from_bytes(signing_key().verifying_key().as_bytes())
        .expect("the public half of a key is a key");
    RootDocument::first(key, key)
}

/// The root document whose server key is the one that seals.
pub(crate) fn server_root() -> RootDocument {
    let other = SecretKey::from_seed(&[8; 32]).public_key();
    let server_key = Some(root().root_keys[0]);
    RootDocument { server_key, ..RootDocument::first(other, other) }
}

/// The signed document of this type with this payload.
pub(crate) fn sealed(payload: &[u8], document_type: &str) -> Vec<u8> {
    let key = signing_key();
    let key_id = root().root_keys[0].id();
    let protected = encoded(|encoder| {
        encoder.map(3)?.i64(1)?.i64(-8)?.i64(4)?.bytes(&key_id.0)?;
        encoder.i64(16)?.str(document_type)?.ok()
    });
    let signed = encoded(|encoder| {
        encoder.array(4)?.str("Signature1")?.bytes(&protected)?.bytes(&[])?.bytes(payload)?.ok()
    });
    let signature = key.sign(&signed).to_bytes();
    encoded(|encoder| {
        encoder.tag(Tag::new(18))?.array(4)?.bytes(&protected)?.map(0)?;
        encoder.bytes(payload)?.bytes(&signature)?.ok()
    })
}

fn encoded(write: impl FnOnce(&mut Buffer) -> Written) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder).expect("a vector takes every write");
    encoder.into_writer()
}
