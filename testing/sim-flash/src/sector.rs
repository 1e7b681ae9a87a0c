//! The cells of one sector, shared between copies of a chip until one of them writes.

use crate::SECTOR_BYTES;

/// Words of a set with one bit for every byte.
const WORDS: usize = SECTOR_BYTES / 64;

/// A sector that was written since its last erase.
#[derive(Clone, Debug)]
pub(crate) struct Sector {
    pub(crate) bytes: [u8; SECTOR_BYTES],
    /// Whether the unit that begins at each byte was written since the last erase.
    written: [u64; WORDS],
}

impl Sector {
    pub(crate) const ERASED: Sector = Sector { bytes: [0xFF; SECTOR_BYTES], written: [0; WORDS] };

    pub(crate) fn is_written(&self, at: usize) -> bool {
        self.written[at / 64] >> (at % 64) & 1 == 1
    }

    pub(crate) fn set_written(&mut self, at: usize, written: bool) {
        let bit = 1 << (at % 64);
        if written {
            self.written[at / 64] |= bit;
        } else {
            self.written[at / 64] &= !bit;
        }
    }
}
