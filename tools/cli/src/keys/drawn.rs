use otaru_release::{Algorithm, KeyError, SecretKey};
use zeroize::Zeroizing;

/// The 32 secret bytes of a key, and what they are for. Wiped from memory when it goes.
#[derive(Clone)]
pub struct KeySecret {
    algorithm: Algorithm,
    bytes: Zeroizing<[u8; 32]>,
}

impl KeySecret {
    /// Takes secret bytes that are known already.
    ///
    /// # Errors
    /// [`KeyError::Point`] for bytes that are no key of that algorithm.
    pub fn new(algorithm: Algorithm, bytes: &[u8; 32]) -> Result<KeySecret, KeyError> {
        if algorithm == Algorithm::P256 {
            SecretKey::from_p256_scalar(bytes)?;
        }
        Ok(KeySecret { algorithm, bytes: Zeroizing::new(*bytes) })
    }

    /// Draws a key from the system's generator.
    ///
    /// # Errors
    /// Where the machine has no randomness to give.
    pub fn random(algorithm: Algorithm) -> Result<KeySecret, getrandom::Error> {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut_slice())?;
            if let Ok(secret) = KeySecret::new(algorithm, &bytes) {
                return Ok(secret);
            }
        }
    }

    /// The key.
    pub fn key(&self) -> SecretKey {
        match self.algorithm {
            Algorithm::Ed25519 => SecretKey::from_seed(&self.bytes),
            Algorithm::P256 => {
                SecretKey::from_p256_scalar(&self.bytes).expect("it was looked at when it was made")
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}
