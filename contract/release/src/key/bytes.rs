//! A public key's bytes, without a heap.

use alloc::vec::Vec;
use core::ops::Deref;

/// The most bytes a public key has: an uncompressed point of P-256.
const MAX: usize = 65;

/// The bytes of a public key, as documents hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBytes {
    bytes: [u8; MAX],
    length: usize,
}

impl KeyBytes {
    /// At most 65 bytes.
    pub(crate) fn new(bytes: &[u8]) -> KeyBytes {
        let mut held = [0; MAX];
        let length = bytes.len().min(MAX);
        for (to, &from) in held.iter_mut().zip(bytes) {
            *to = from;
        }
        KeyBytes { bytes: held, length }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The bytes of an even number of hex digits.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8)).collect()
}
