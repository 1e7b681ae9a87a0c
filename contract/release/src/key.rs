//! Public keys of the two algorithms, how they are named and how they are written as text.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use otaru_wire::Digest;

mod bytes;
#[cfg(feature = "sign")]
mod ecdsa;
mod listed;
mod private;
#[cfg(feature = "sign")]
mod secret;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "sign"), path = "key/small.rs")]
mod verifier;

pub use bytes::KeyBytes;
pub(crate) use listed::{ListedKey, ListedKeys};
pub use private::{PrivateKeyKind, find_private_key};
#[cfg(feature = "sign")]
pub use secret::SecretKey;

use verifier::Verifier;

/// Bytes of a signature of either algorithm.
pub const SIGNATURE_BYTES: usize = 64;

/// A signature algorithm, by what COSE calls it (RFC 9053 §2).
///
/// A reader that does not know an algorithm skips its keys, so a new one can be introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// EdDSA with Ed25519: signs the message itself.
    Ed25519,
    /// ES256, ECDSA on P-256: signs the message's SHA-256.
    P256,
}

impl Algorithm {
    /// COSE's number.
    pub const fn cose_number(self) -> i64 {
        match self {
            Algorithm::Ed25519 => -8,
            Algorithm::P256 => -7,
        }
    }

    /// The algorithm with this number, if this build verifies it.
    pub fn from_cose_number(number: i64) -> Option<Algorithm> {
        match number {
            -8 if cfg!(feature = "ed25519") => Some(Algorithm::Ed25519),
            -7 if cfg!(feature = "p256") => Some(Algorithm::P256),
            _ => None,
        }
    }

    /// The name before the colon of a key's text.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::P256 => "p256",
        }
    }

    /// The name COSE and JOSE have for it.
    pub const fn cose_name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "EdDSA",
            Algorithm::P256 => "ES256",
        }
    }
}

/// Names a public key: the first 8 bytes of its SHA-256.
///
/// It selects among keys a root document lists; being short, it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// The id of a key with these bytes.
    #[inline(never)]
    fn of(bytes: &[u8]) -> KeyId {
        let [a, b, c, d, e, f, g, h, ..] = Digest::of(bytes).0;
        KeyId([a, b, c, d, e, f, g, h])
    }
}

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

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeyId, KeyError> {
        let bytes = bytes::from_hex(text).ok_or(KeyError::Id)?;
        Ok(KeyId(bytes.try_into().map_err(|_| KeyError::Id)?))
    }
}

/// Why bytes or text are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Neither 32 nor 65 bytes.
    Length {
        /// Bytes found.
        found: usize,
    },
    /// No point of the curve, or one of the few that let anybody sign.
    Point,
    /// The text is not an algorithm, a colon and the key's bytes in hex.
    Text,
    /// The text is not the 16 hex digits of a key id.
    Id,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Length { found } => write!(
                f,
                "found {found} bytes, expected an Ed25519 public key of 32 or a P-256 one of 65"
            ),
            KeyError::Point => f.write_str("not a usable public key"),
            KeyError::Text => {
                f.write_str("expected `ed25519:` and 64 hex digits, or `p256:` and 130")
            }
            KeyError::Id => f.write_str("expected the 16 hex digits of a key id"),
        }
    }
}

impl core::error::Error for KeyError {}

/// A public key that is fit to verify with.
///
/// As text it is `ed25519:` and 64 hex digits, or `p256:` and 130;
/// [`PublicKey::from_file`] reads that from a file with `#` comments, which is the
/// format of `root.pub`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(Verifier);

impl PublicKey {
    /// Reads a key whose algorithm its length tells; checks the point, so that a key
    /// which exists can be used.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        match bytes.len() {
            32 => PublicKey::of(Algorithm::Ed25519, bytes),
            65 => PublicKey::of(Algorithm::P256, bytes),
            found => Err(KeyError::Length { found }),
        }
    }

    /// Reads a key of an algorithm: Ed25519's 32 bytes, or the 65 of an uncompressed point (SEC 1).
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let length = match algorithm {
            Algorithm::Ed25519 => 32,
            Algorithm::P256 => 65,
        };
        if bytes.len() != length {
            return Err(KeyError::Length { found: bytes.len() });
        }
        Verifier::read(algorithm, bytes).map(PublicKey).ok_or(KeyError::Point)
    }

    /// What it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The key's bytes, as documents hold them.
    pub fn to_bytes(&self) -> KeyBytes {
        self.0.to_bytes()
    }

    /// The key's name in signatures.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.to_bytes())
    }

    /// 32 bytes that no two keys share: an Ed25519 key itself, the SHA-256 of another.
    ///
    /// A device keeps them beside what it learned under a key it was built with.
    pub fn anchor(&self) -> [u8; 32] {
        let bytes = self.to_bytes();
        <[u8; 32]>::try_from(&*bytes).unwrap_or_else(|_| *Digest::of(&bytes).as_bytes())
    }

    /// Whether this key signed `message`, which comes in pieces; for Ed25519 by the strict rule:
    /// no malleable forms.
    pub(crate) fn verifies(&self, message: &[&[u8]], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verifies(message, signature)
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
        write!(f, "{}:", self.algorithm().name())?;
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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
        let (name, hex) = text.split_once(':').ok_or(KeyError::Text)?;
        let known = [Algorithm::Ed25519, Algorithm::P256];
        let algorithm = known.into_iter().find(|known| known.name() == name);
        let bytes = bytes::from_hex(hex).ok_or(KeyError::Text)?;
        PublicKey::of(algorithm.ok_or(KeyError::Text)?, &bytes).map_err(|error| match error {
            KeyError::Length { .. } => KeyError::Text,
            other => other,
        })
    }
}
