//! Seals the secrets that the server must know again, with a key that is not in the database.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use otaru_wire::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::OperationError;

/// The one version of the format: version, fingerprint of the key, nonce, sealed text.
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const FINGERPRINT_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

/// The key that seals secrets: 32 random bytes, the same on every node of a server, in a file
/// or wherever else secrets are kept. Never printed by accident: it has no `Debug`.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

/// The text is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secrets key is 64 hex digits and nothing else")]
pub struct NotASealingKey;

/// Why sealed bytes cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Another key sealed them.
    OtherKey,
    /// They were changed, moved to another row, or never sealed.
    Damaged,
}

impl SealingKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`OperationError::Random`].
    pub fn random() -> Result<SealingKey, OperationError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| OperationError::Random)?;
        Ok(SealingKey(bytes))
    }

    /// Reads what [`SealingKey::to_text`] wrote; blanks around it do not matter.
    ///
    /// # Errors
    /// [`NotASealingKey`].
    pub fn parse(text: &str) -> Result<SealingKey, NotASealingKey> {
        let text = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if text.len() != 2 * KEY_BYTES {
            return Err(NotASealingKey);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NotASealingKey);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Ok(SealingKey(bytes))
    }

    /// The key as hex digits, to be kept.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in self.0.iter() {
            text.push(char::from_digit((byte >> 4).into(), 16).expect("below 16"));
            text.push(char::from_digit((byte & 15).into(), 16).expect("below 16"));
        }
        text
    }

    /// What tells keys apart and may be shown.
    pub fn fingerprint(&self) -> String {
        hex(&self.fingerprint_bytes())
    }

    fn fingerprint_bytes(&self) -> [u8; FINGERPRINT_BYTES] {
        let named = Zeroizing::new([b"otaru secrets key ".as_slice(), self.0.as_slice()].concat());
        let mut first = [0; FINGERPRINT_BYTES];
        first.copy_from_slice(&Digest::of(&named).as_bytes()[..FINGERPRINT_BYTES]);
        first
    }

    /// How everything begins that this key sealed, and nothing else does.
    pub(crate) fn mark(&self) -> Vec<u8> {
        [&[VERSION], &self.fingerprint_bytes()[..]].concat()
    }

    /// The fingerprint of the key that sealed what begins so.
    pub(crate) fn fingerprint_in(sealed: &[u8]) -> String {
        let after_version = sealed.get(1..).unwrap_or_default();
        hex(&after_version[..after_version.len().min(FINGERPRINT_BYTES)])
    }

    /// Seals a secret; only together with `bound` can it be opened again.
    pub(crate) fn seal(&self, secret: &[u8], bound: &str) -> Result<Vec<u8>, OperationError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| OperationError::Random)?;
        let payload = Payload { msg: secret, aad: bound.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("a secret is never too long to seal");
        Ok([&self.mark()[..], &nonce, &sealed].concat())
    }

    /// Opens what [`SealingKey::seal`] made with the same `bound`.
    pub(crate) fn open(&self, sealed: &[u8], bound: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(Closed::Damaged)?;
        let (fingerprint, rest) =
            rest.split_first_chunk::<FINGERPRINT_BYTES>().ok_or(Closed::Damaged)?;
        if *fingerprint != self.fingerprint_bytes() {
            return Err(Closed::OtherKey);
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Closed::Damaged)?;
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let secret = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        secret.map(Zeroizing::new).map_err(|_| Closed::Damaged)
    }

    /// The code (HMAC-SHA-256) by which this server knows its own words again. `purpose` keeps
    /// the words of one use from being those of another.
    pub(crate) fn authenticate(&self, purpose: &str, words: &[u8]) -> [u8; 32] {
        let code = |key: &[u8], words: &[u8]| {
            let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
            code.update(words);
            <[u8; 32]>::from(code.finalize().into_bytes())
        };
        let key = Zeroizing::new(code(self.0.as_slice(), purpose.as_bytes()));
        code(key.as_slice(), words)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back() {
        let key = SealingKey::random().unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 64);
        let read = SealingKey::parse(&format!(" {}\n", *text)).ok().unwrap();
        assert_eq!(*read.0, *key.0);
        for wrong in ["", "ab", &text[1..], &text.replace(&text[..1], "g"), &"é".repeat(32)] {
            assert!(SealingKey::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_code_is_of_one_key_one_purpose_and_these_words() {
        let (key, other) = (SealingKey::random().unwrap(), SealingKey::random().unwrap());
        let code = key.authenticate("link", b"words");
        assert_eq!(key.authenticate("link", b"words"), code);
        assert_ne!(other.authenticate("link", b"words"), code);
        assert_ne!(key.authenticate("mail", b"words"), code);
        assert_ne!(key.authenticate("link", b"other words"), code);
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place_and_unchanged() {
        let (key, other) = (SealingKey::random().unwrap(), SealingKey::random().unwrap());
        let sealed = key.seal(b"secret", "row 1").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(key.open(&sealed, "row 1").unwrap().as_slice(), b"secret");
        assert_ne!(key.seal(b"secret", "row 1").unwrap(), sealed, "no nonce is used twice");
        assert!(sealed.starts_with(&key.mark()) && !sealed.starts_with(&other.mark()));
        assert_eq!(SealingKey::fingerprint_in(&key.mark()), key.fingerprint());
        let closed = other.open(&sealed, "row 1").unwrap_err();
        assert_eq!(closed, Closed::OtherKey);
        assert_eq!(key.open(&sealed, "row 2").unwrap_err(), Closed::Damaged);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&changed, "row 1").is_err(), "at {at}");
            assert!(key.open(&sealed[..at], "row 1").is_err(), "at {at}");
        }
    }
}
