//! The second flash bank, as a chip with the sectors of an ESP32's.
//!
//! QEMU models two 16-bit CFI chips side by side: each command goes to both halves of a word, and
//! what they erase is 256 KiB. An ESP32 erases 4 KiB, and layouts, records and resume points are
//! made for that. So an erase is a write of ones here: QEMU takes it, where a chip would not turn
//! a zero into a one. All other writes keep to that rule: a word becomes what it was *and* what is
//! written, as on a chip, and whoever wrote into a sector that was not erased reads it back.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

use super::{peek, poke};
use crate::partitions::FLASH_BYTES;

const BANK: usize = 0x2200_0000;
/// What one buffered write takes, and what is lost or there as a whole when power goes.
const BUFFER_BYTES: usize = 4096;
const WORD_BYTES: usize = 4;

const BUFFERED_WRITE: u32 = 0xE8;
const CONFIRM: u32 = 0xD0;
const READ_ARRAY: u32 = 0xFF;
const CLEAR_STATUS: u32 = 0x50;
const READY: u32 = 0x80;
/// Bits of the status that say that a write or an erase failed.
const FAILED: u32 = 0x3A;

/// The flash. There is one, and whoever has it may write it.
#[derive(Debug)]
pub struct Nor(());

/// The chip said no, or what was asked for is not on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NorError(NorFlashErrorKind);

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl From<NorFlashErrorKind> for NorError {
    fn from(kind: NorFlashErrorKind) -> NorError {
        NorError(kind)
    }
}

impl Nor {
    /// The flash: to be taken once, by the program that runs.
    pub fn take() -> Nor {
        Nor(())
    }

    /// Writes words into one buffer's worth of flash.
    fn program(&mut self, offset: usize, word: impl Fn(usize, u32) -> u32, words: usize) -> bool {
        let address = BANK + offset;
        let mut new = [0_u32; BUFFER_BYTES / WORD_BYTES];
        for (index, new) in new[..words].iter_mut().enumerate() {
            *new = word(index, peek(address + index * WORD_BYTES));
        }
        command(address, BUFFERED_WRITE);
        command(address, words as u32 - 1);
        for (index, new) in new[..words].iter().enumerate() {
            poke(address + index * WORD_BYTES, *new);
        }
        command(address, CONFIRM);
        let status = loop {
            let status: u32 = peek(address);
            if status & READY != 0 {
                break status;
            }
        };
        command(address, CLEAR_STATUS);
        command(address, READ_ARRAY);
        status & FAILED == 0
    }
}

/// Gives a command to both chips.
fn command(address: usize, command: u32) {
    poke(address, command | command << 16);
}

impl ErrorType for Nor {
    type Error = NorError;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        check_read(self, offset, bytes.len())?;
        let from = (BANK + offset as usize) as *const u8;
        // SAFETY: the bank is mapped, and what is read is within it.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH_BYTES as usize
    }
}

impl NorFlash for Nor {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = BUFFER_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        check_erase(self, from, to)?;
        for offset in (from as usize..to as usize).step_by(BUFFER_BYTES) {
            if !self.program(offset, |_, _| u32::MAX, BUFFER_BYTES / WORD_BYTES) {
                return Err(NorFlashErrorKind::Other.into());
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        check_write(self, offset, bytes.len())?;
        let (mut at, mut rest) = (offset as usize, bytes);
        while !rest.is_empty() {
            let (now, after) = rest.split_at(rest.len().min(BUFFER_BYTES - at % BUFFER_BYTES));
            let word = |index: usize, old: u32| {
                let bytes = &now[index * WORD_BYTES..][..WORD_BYTES];
                old & u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            };
            if !self.program(at, word, now.len() / WORD_BYTES) {
                return Err(NorFlashErrorKind::Other.into());
            }
            (at, rest) = (at + now.len(), after);
        }
        Ok(())
    }
}
