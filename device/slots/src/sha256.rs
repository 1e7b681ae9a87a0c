//! SHA-256, with its code in the firmware once.

use sha2::{Digest, Sha256};

/// SHA-256 of bytes that arrive in pieces.
#[derive(Clone)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new() -> Hasher {
        Hasher(Sha256::new())
    }

    #[inline(never)] // What it inlines is too large for a chip to have twice.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of what came so far.
    #[inline(never)]
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}
