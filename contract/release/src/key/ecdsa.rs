//! ECDSA P-256 with SHA-256 (ES256).

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey};

use super::{KeyBytes, SIGNATURE_BYTES};

pub(super) use p256::ecdsa::VerifyingKey;

/// First byte of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// Reads the one form documents hold: the uncompressed point.
pub(super) fn read(bytes: &[u8]) -> Option<VerifyingKey> {
    match bytes.first() {
        Some(&UNCOMPRESSED) => VerifyingKey::from_sec1_bytes(bytes).ok(),
        _ => None,
    }
}

pub(super) fn write(key: &VerifyingKey) -> KeyBytes {
    KeyBytes::new(key.to_sec1_point(false).as_bytes())
}

/// Either of the two values of s that a signature can have is taken, as RFC 9053 does:
/// nothing here takes a signature for an identity.
pub(super) fn verifies(
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> bool {
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify(message, &signature).is_ok()
}

/// Signs with the nonce of RFC 6979, so that no randomness can betray the key.
pub(super) fn sign(key: &SigningKey, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let signature: Signature = key.sign(message);
    signature.to_bytes().into()
}
