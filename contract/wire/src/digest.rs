//! SHA-256 digests: the identity of an image.

#[cfg(feature = "alloc")]
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

#[cfg(feature = "alloc")]
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Written as 64 lower-case hex digits, in JSON too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// How many bytes a digest has.
    pub const LENGTH_BYTES: usize = 32;

    /// Hashes `bytes`. A [`Hasher`] hashes a stream.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::of_pieces(&[bytes])
    }

    /// Hashes pieces of bytes, one after the other.
    pub fn of_pieces(pieces: &[&[u8]]) -> Digest {
        let mut hasher = Hasher::new();
        pieces.iter().for_each(|bytes| hasher.update(bytes));
        hasher.digest()
    }

    /// The 64 lower-case hex digits.
    pub fn to_hex(&self) -> [u8; 2 * Digest::LENGTH_BYTES] {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
        let mut hex = [0; 2 * Digest::LENGTH_BYTES];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        hex
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// SHA-256 of bytes that come in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Of no bytes yet.
    pub fn new() -> Hasher {
        Hasher::default()
    }

    /// Takes bytes behind those before.
    #[inline(never)] // What it inlines is too large for a chip to have twice.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of what came so far.
    #[inline(never)]
    pub fn digest(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }
}

/// Text that is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// The text has another length, in bytes.
    Length {
        /// The length found.
        found: usize,
    },
    /// The byte at this index is not a hex digit.
    NotHex {
        /// The index of the first such byte.
        index: usize,
    },
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestError::Length { found } => {
                write!(f, "digest must be 64 hex digits, found {found} characters")
            }
            DigestError::NotHex { index } => {
                write!(f, "digest must be 64 hex digits, character {index} is none")
            }
        }
    }
}

impl core::error::Error for DigestError {}

impl FromStr for Digest {
    type Err = DigestError;

    /// Reads 64 hex digits of either case.
    #[inline(never)]
    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * Digest::LENGTH_BYTES {
            return Err(DigestError::Length { found: digits.len() });
        }
        let mut bytes = [0; Digest::LENGTH_BYTES];
        for (index, &digit) in digits.iter().enumerate() {
            let value = char::from(digit).to_digit(16).ok_or(DigestError::NotHex { index })?;
            bytes[index / 2] = bytes[index / 2] << 4 | value as u8;
        }
        Ok(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }
}

#[cfg(feature = "alloc")]
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "alloc")]
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digest_of_abc_is_the_published_one() {
        assert_eq!(Digest::of(b"abc").to_string(), OF_ABC);
        assert_eq!(Digest::of(b"abc").to_hex(), OF_ABC.as_bytes());
        assert_eq!(OF_ABC.parse(), Ok(Digest::of(b"abc")));
        assert_eq!(OF_ABC.to_uppercase().parse(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn anything_but_64_hex_digits_is_refused() {
        assert_eq!("ba78".parse::<Digest>(), Err(DigestError::Length { found: 4 }));
        let wrong = OF_ABC.replacen('f', "g", 1);
        assert_eq!(wrong.parse::<Digest>(), Err(DigestError::NotHex { index: 7 }));
        let wide = "ä".repeat(32);
        assert_eq!(wide.parse::<Digest>(), Err(DigestError::NotHex { index: 0 }));
    }

    #[test]
    fn json_form_is_the_hex_string() {
        let json = serde_json::to_string(&Digest::of(b"abc")).unwrap();
        assert_eq!(json, alloc::format!("\"{OF_ABC}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), Digest::of(b"abc"));
    }
}
