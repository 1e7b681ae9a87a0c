//! Units of 32 bytes that say one thing: a state word in front, a CRC-32C over it behind.
//!
//! 32 bytes is the largest write unit of the ESP32 family. One bit of such a unit may turn
//! over and is turned back: CRC-32C tells any two units of this length apart by far more.

use embedded_storage::nor_flash::ReadNorFlash;

use crate::FlashError;
use crate::crc::Crc32c;
use crate::flash::{self, UNIT_BYTES};

/// One unit.
pub(crate) type Sealed = [u8; UNIT_BYTES];

/// A little-endian word of it.
pub(crate) fn word(bytes: &Sealed, at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn put(bytes: &mut Sealed, at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

/// Writes the CRC behind the rest.
pub(crate) fn seal(bytes: &mut Sealed) {
    let crc = Crc32c::of(&bytes[..28]);
    put(bytes, 28, crc);
}

fn is_sealed(bytes: &Sealed) -> bool {
    word(bytes, 28) == Crc32c::of(&bytes[..28])
}

/// Reads a unit that begins with one of these words.
pub(crate) fn read<F: ReadNorFlash>(
    flash: &mut F,
    offset: u32,
    states: &[u32],
) -> Result<Option<Sealed>, FlashError> {
    let mut bytes = [0; UNIT_BYTES];
    flash::read(flash, offset, &mut bytes)?;
    Ok(open(&bytes, states))
}

/// A unit that begins with one of these words, as it was written; `None` where it is none.
#[inline(never)] // A chip has room for it once.
pub(crate) fn open(bytes: &Sealed, states: &[u32]) -> Option<Sealed> {
    let mut bytes = *bytes;
    let found = word(&bytes, 0);
    if !states.iter().any(|state| (state ^ found).count_ones() <= 1) {
        return None;
    }
    let holds = |bytes: &Sealed| is_sealed(bytes) && states.contains(&word(bytes, 0));
    if holds(&bytes) {
        return Some(bytes);
    }
    for bit in 0..UNIT_BYTES * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if holds(&bytes) {
            return Some(bytes);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    None
}
