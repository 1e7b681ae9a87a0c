//! Ed25519 keys, how they are named and how they are written as text.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use otaru_wire::Digest;

/// COSE's number of the one signature algorithm in use (EdDSA; RFC 9053 §2.2).
///
/// ES256 is -7; a reader that does not know an algorithm skips its keys.
pub(crate) const ED25519: i64 = -8;
/// Bytes of an Ed25519 public key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// Names a public key: the first 8 bytes of its SHA-256.
///
/// It selects among keys a root document lists; being short, it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Why bytes or text are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not 32 bytes.
    Length {
        /// Bytes found.
        found: usize,
    },
    /// No point of the curve, or one of the few that let anybody sign.
    Point,
    /// The text is not `ed25519:` and 64 hex digits.
    Text,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Length { found } => {
                write!(f, "found {found} bytes, expected an Ed25519 public key of 32")
            }
            KeyError::Point => f.write_str("not a usable Ed25519 public key"),
            KeyError::Text => f.write_str("expected `ed25519:` and 64 hex digits"),
        }
    }
}

impl core::error::Error for KeyError {}

/// A public key that is fit to verify with.
///
/// As text it is `ed25519:` and 64 hex digits; [`PublicKey::from_file`] reads
/// that from a file with `#` comments, which is the format of `root.pub`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks the point, so that a key which exists can be used.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let bytes: &[u8; KEY_BYTES] =
            bytes.try_into().map_err(|_| KeyError::Length { found: bytes.len() })?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Point)?;
        if key.is_weak() { Err(KeyError::Point) } else { Ok(PublicKey(key)) }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name in signatures.
    pub fn id(&self) -> KeyId {
        let digest = Digest::of(self.as_bytes());
        KeyId(*digest.as_bytes().first_chunk().expect("a digest has more than 8 bytes"))
    }

    /// Whether this key signed `message`, by the strict rule: no malleable forms.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }

    /// The contents of a key file such as `root.pub`; `what` is said in its comment.
    pub fn to_file(&self, what: &str) -> String {
        format!("# Otaru {what}, key id {}\n{self}\n", self.id())
    }

    /// Reads a key file: one key, any number of `#` comments and empty lines.
    pub fn from_file(text: &str) -> Result<PublicKey, KeyError> {
        let mut lines =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.parse(),
            _ => Err(KeyError::Text),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", Digest(*self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let hex = text.strip_prefix("ed25519:").ok_or(KeyError::Text)?;
        let bytes: Digest = hex.parse().map_err(|_| KeyError::Text)?;
        PublicKey::from_bytes(bytes.as_bytes())
    }
}

/// A private key. Its bytes are wiped when it goes.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of 32 secret bytes, which must come from a good source of randomness.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key().id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn public_key_file_round_trips() {
        let key = SecretKey::from_seed(&[7; 32]).public_key();
        let file = key.to_file("root key");
        expect![[r#"
            # Otaru root key, key id fe812c12f3ab4ce6
            ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
        "#]]
        .assert_eq(&file);
        assert_eq!(PublicKey::from_file(&file), Ok(key));
        assert_eq!(PublicKey::from_file(&(file.clone() + &file)), Err(KeyError::Text));
        assert_eq!(PublicKey::from_file(""), Err(KeyError::Text));
    }

    #[test]
    fn keys_anybody_could_sign_for_are_refused() {
        // The neutral element: every message verifies under it with the right R.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Point));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Point));
        assert_eq!(PublicKey::from_bytes(&[1; 31]), Err(KeyError::Length { found: 31 }));
    }
}
