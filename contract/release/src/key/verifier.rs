//! Verification by the crates that sign.

use super::{Algorithm, KeyBytes, SIGNATURE_BYTES};

/// A public key that is fit to verify with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verifier {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(super::ecdsa::VerifyingKey),
}

impl Verifier {
    /// Checks the point.
    pub(super) fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<Verifier> {
        match algorithm {
            Algorithm::Ed25519 => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
                (!key.is_weak()).then_some(Verifier::Ed25519(key))
            }
            Algorithm::P256 => super::ecdsa::read(bytes).map(Verifier::P256),
        }
    }

    /// The same of bytes whose point was checked.
    pub(super) fn read_again(algorithm: Algorithm, bytes: &[u8]) -> Option<Verifier> {
        Verifier::read(algorithm, bytes)
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Verifier::Ed25519(_) => Algorithm::Ed25519,
            Verifier::P256(_) => Algorithm::P256,
        }
    }

    pub(super) fn to_bytes(self) -> KeyBytes {
        match self {
            Verifier::Ed25519(key) => KeyBytes::new(key.as_bytes()),
            Verifier::P256(key) => super::ecdsa::write(&key),
        }
    }

    /// For Ed25519 by the strict rule: no malleable forms.
    pub(super) fn verifies(&self, message: &[&[u8]], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        match self {
            Verifier::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(&message.concat(), &signature).is_ok()
            }
            Verifier::P256(key) => super::ecdsa::verifies(key, &message.concat(), signature),
        }
    }
}
