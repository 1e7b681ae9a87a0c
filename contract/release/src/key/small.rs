//! Verification in few bytes of code.

#[cfg(feature = "p256")]
use otaru_wire::Digest;

use super::{Algorithm, KeyBytes, SIGNATURE_BYTES};

/// A public key that is fit to verify with, as its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Verifier {
    algorithm: Algorithm,
    bytes: KeyBytes,
}

impl Verifier {
    /// Checks the point.
    pub(super) fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<Verifier> {
        let is_key = match algorithm {
            #[cfg(feature = "ed25519")]
            Algorithm::Ed25519 => otaru_curves::ed25519::is_key(bytes.try_into().ok()?),
            #[cfg(feature = "p256")]
            Algorithm::P256 => otaru_curves::p256::is_key(bytes.try_into().ok()?),
            #[cfg(not(all(feature = "ed25519", feature = "p256")))]
            _ => false,
        };
        is_key.then(|| Verifier { algorithm, bytes: KeyBytes::new(bytes) })
    }

    /// The same of bytes whose point was checked.
    pub(super) fn read_again(algorithm: Algorithm, bytes: &[u8]) -> Option<Verifier> {
        Some(Verifier { algorithm, bytes: KeyBytes::new(bytes) })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn to_bytes(self) -> KeyBytes {
        self.bytes
    }

    pub(super) fn verifies(&self, message: &[&[u8]], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        match self.algorithm {
            #[cfg(feature = "ed25519")]
            Algorithm::Ed25519 => (&*self.bytes)
                .try_into()
                .is_ok_and(|key| otaru_curves::ed25519::verifies(key, message, signature)),
            #[cfg(feature = "p256")]
            Algorithm::P256 => (&*self.bytes).try_into().is_ok_and(|key| {
                otaru_curves::p256::verifies(key, Digest::of_pieces(message).as_bytes(), signature)
            }),
            #[cfg(not(all(feature = "ed25519", feature = "p256")))]
            _ => false,
        }
    }
}
