//! Chips in memory: whole ones, and those of which one window is real, where the rest reads erased
//! and takes no write.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Length of the whole chip in bytes.
pub(crate) const CHIP_BYTES: u32 = 4 * 1024 * 1024;

/// NOR flash whose window begins at `offset`.
pub(crate) struct WindowFlash {
    offset: u32,
    bytes: Vec<u8>,
}

impl WindowFlash {
    /// A window of `size` bytes that begins with `bytes`, as much as fits, and ends erased.
    pub(crate) fn new(offset: u32, size: u32, bytes: &[u8]) -> WindowFlash {
        let mut bytes = bytes.to_vec();
        bytes.resize(size as usize, 0xFF);
        WindowFlash { offset, bytes }
    }

    /// What the window holds.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn window(&mut self, from: u32, to: u32) -> Result<&mut [u8], NorFlashErrorKind> {
        let index = |at: u32| at.checked_sub(self.offset).map(|at| at as usize);
        let (from, to) = index(from).zip(index(to)).ok_or(NorFlashErrorKind::OutOfBounds)?;
        self.bytes.get_mut(from..to).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for WindowFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for WindowFlash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        if u64::from(offset) + bytes.len() as u64 > u64::from(CHIP_BYTES) {
            return Err(NorFlashErrorKind::OutOfBounds);
        }
        for (at, byte) in (offset..).zip(bytes) {
            let real = at.checked_sub(self.offset).and_then(|at| self.bytes.get(at as usize));
            *byte = real.copied().unwrap_or(0xFF);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        CHIP_BYTES as usize
    }
}

impl NorFlash for WindowFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if !from.is_multiple_of(4096) || !to.is_multiple_of(4096) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.window(from, to)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        let to = offset.saturating_add(bytes.len() as u32);
        for (cell, byte) in self.window(offset, to)?.iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

/// A whole chip of NOR flash, erased at first.
#[derive(Clone)]
pub(crate) struct ChipFlash(Vec<u8>);

impl ChipFlash {
    pub(crate) fn new(size: u32) -> ChipFlash {
        ChipFlash(vec![0xFF; size as usize])
    }

    /// Puts bytes there, as a factory does.
    pub(crate) fn load(&mut self, offset: u32, bytes: &[u8]) {
        self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Whether these bytes stand there.
    pub(crate) fn holds(&self, offset: u32, bytes: &[u8]) -> bool {
        self.0[offset as usize..].starts_with(bytes)
    }

    fn range(&mut self, from: u32, length: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let from = from as usize;
        self.0.get_mut(from..from + length).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for ChipFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for ChipFlash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        bytes.copy_from_slice(self.range(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for ChipFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if !from.is_multiple_of(4096) || !to.is_multiple_of(4096) || to < from {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.range(from, (to - from) as usize)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        for (cell, byte) in self.range(offset, bytes.len())?.iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}
