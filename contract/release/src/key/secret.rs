use core::fmt;

use ed25519_dalek::{Signer, SigningKey};

use super::{KeyError, PublicKey, SIGNATURE_BYTES, Verifier, ecdsa};

/// A private key. Its bytes are wiped when it goes.
pub struct SecretKey(Secret);

enum Secret {
    Ed25519(SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl SecretKey {
    /// The Ed25519 key of 32 secret bytes, which must come from a good source of randomness.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(Secret::Ed25519(SigningKey::from_bytes(seed)))
    }

    /// The P-256 key whose secret number these 32 bytes are.
    ///
    /// # Errors
    /// [`KeyError::Point`] for one in 2^32 of all bytes: zero, and what is not below the
    /// curve's order. Draw again.
    pub fn from_p256_scalar(scalar: &[u8; 32]) -> Result<SecretKey, KeyError> {
        let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| KeyError::Point)?;
        Ok(SecretKey(Secret::P256(key)))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        match &self.0 {
            Secret::Ed25519(key) => PublicKey(Verifier::Ed25519(key.verifying_key())),
            Secret::P256(key) => PublicKey(Verifier::P256(*key.verifying_key())),
        }
    }

    /// Signs a message: with ES256 its SHA-256.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        match &self.0 {
            Secret::Ed25519(key) => key.sign(message).to_bytes(),
            Secret::P256(key) => ecdsa::sign(key, message),
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key().id())
    }
}
