//! A device's flash file as an outsider sees it.

use std::convert::Infallible;
use std::path::Path;

use embedded_storage::nor_flash::{ErrorType, ReadNorFlash};
use otaru_slots::Layout;

/// A flash file looked at from outside, while the device runs on it.
pub(crate) struct Chip(pub(crate) Vec<u8>);

impl Chip {
    /// Reads the whole file; `None` while there is none.
    pub(crate) fn read(path: &Path) -> Option<Chip> {
        std::fs::read(path).ok().map(Chip)
    }
}

impl Chip {
    /// The storage partition.
    pub(crate) fn storage(&mut self) -> Option<&mut [u8]> {
        let region = Layout::read(self).ok()?.otaru;
        self.0.get_mut(region.offset as usize..region.end() as usize)
    }
}

impl ErrorType for Chip {
    type Error = Infallible;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.0[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}
