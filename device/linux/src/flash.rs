//! NOR flash in a file: bits only fall until their sector is erased, and every
//! operation is in the file when it returns, so killing the process is a power cut.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use otaru_slots::SECTOR_BYTES;

/// Bytes of one erased sector.
const ERASED: [u8; SECTOR_BYTES as usize] = [0xFF; SECTOR_BYTES as usize];

/// A flash chip in a file. Clones are the same chip.
#[derive(Clone, Debug)]
pub struct FileFlash {
    file: Arc<File>,
    size_bytes: u32,
}

/// Why an access failed. The kind of the operating system's error is kept; its text is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFlashError {
    /// The file could not be read or written.
    #[error("flash file: {0}")]
    Io(io::ErrorKind),
    /// The range does not begin or end at a unit.
    #[error("flash access is not aligned")]
    NotAligned,
    /// The range leaves the chip.
    #[error("flash access is out of bounds")]
    OutOfBounds,
}

impl FileFlash {
    /// Makes the file of a blank chip. It is whole or not there at all.
    pub fn create(path: &Path, size_bytes: u32) -> io::Result<()> {
        if !size_bytes.is_multiple_of(SECTOR_BYTES) {
            let found = format!("{size_bytes} bytes are not whole sectors of {SECTOR_BYTES}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, found));
        }
        std::fs::write(path, vec![0xFF; size_bytes as usize])
    }

    /// Opens the file of a chip for this process alone.
    pub fn open(path: &Path) -> io::Result<FileFlash> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // Two devices on one flash would each see the other's writes as damage.
        file.try_lock()?;
        let length = file.metadata()?.len();
        let size_bytes = u32::try_from(length)
            .ok()
            .filter(|size| size.is_multiple_of(SECTOR_BYTES) && *size > 0)
            .ok_or_else(|| {
                let found = format!("flash file of {length} bytes, expected whole sectors");
                io::Error::new(io::ErrorKind::InvalidData, found)
            })?;
        Ok(FileFlash { file: Arc::new(file), size_bytes })
    }

    /// Writes any number of bytes into blank flash; the last unit is padded with erased bytes.
    pub(crate) fn program(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(<FileFlash as NorFlash>::WRITE_SIZE), 0xFF);
        self.write(offset, &padded)
    }

    /// Reads a range into memory.
    pub(crate) fn dump(&mut self, offset: u32, length: u32) -> Result<Vec<u8>, FileFlashError> {
        let mut bytes = vec![0; length as usize];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<(), FileFlashError> {
        let end = (offset as usize).checked_add(length).ok_or(FileFlashError::OutOfBounds)?;
        if end > self.size_bytes as usize {
            return Err(FileFlashError::OutOfBounds);
        }
        let aligned = (offset as usize).is_multiple_of(unit) && length.is_multiple_of(unit);
        if aligned { Ok(()) } else { Err(FileFlashError::NotAligned) }
    }
}

fn io_error(error: io::Error) -> FileFlashError {
    tracing::error!(error = %error, "Flash file failed");
    FileFlashError::Io(error.kind())
}

impl NorFlashError for FileFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            FileFlashError::Io(_) => NorFlashErrorKind::Other,
            FileFlashError::NotAligned => NorFlashErrorKind::NotAligned,
            FileFlashError::OutOfBounds => NorFlashErrorKind::OutOfBounds,
        }
    }
}

impl ErrorType for FileFlash {
    type Error = FileFlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileFlashError> {
        self.check(offset, bytes.len(), Self::READ_SIZE)?;
        self.file.read_exact_at(bytes, u64::from(offset)).map_err(io_error)
    }

    fn capacity(&self) -> usize {
        self.size_bytes as usize
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FileFlashError> {
        let length = to.checked_sub(from).ok_or(FileFlashError::OutOfBounds)?;
        self.check(from, length as usize, Self::ERASE_SIZE)?;
        for sector in (from..to).step_by(Self::ERASE_SIZE) {
            self.file.write_all_at(&ERASED, u64::from(sector)).map_err(io_error)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        self.check(offset, bytes.len(), Self::WRITE_SIZE)?;
        let mut cells = vec![0; bytes.len()];
        self.file.read_exact_at(&mut cells, u64::from(offset)).map_err(io_error)?;
        // Programming clears bits; only an erase sets them.
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        self.file.write_all_at(&cells, u64::from(offset)).map_err(io_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fall_until_their_sector_is_erased() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flash.bin");
        FileFlash::create(&path, 3 * SECTOR_BYTES).unwrap();
        let mut flash = FileFlash::open(&path).unwrap();
        flash.write(SECTOR_BYTES, &[0xF0; 4]).unwrap();
        flash.write(SECTOR_BYTES, &[0x3F; 4]).unwrap();
        let mut found = [0; 4];
        flash.read(SECTOR_BYTES, &mut found).unwrap();
        assert_eq!(found, [0x30; 4]);
        flash.erase(SECTOR_BYTES, 2 * SECTOR_BYTES).unwrap();
        flash.read(SECTOR_BYTES, &mut found).unwrap();
        assert_eq!(found, [0xFF; 4]);
        assert_eq!(flash.write(2, &[0; 4]), Err(FileFlashError::NotAligned));
        let behind = 3 * SECTOR_BYTES;
        assert_eq!(flash.erase(behind, behind + SECTOR_BYTES), Err(FileFlashError::OutOfBounds));
    }

    #[test]
    fn one_chip_has_one_device() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flash.bin");
        FileFlash::create(&path, SECTOR_BYTES).unwrap();
        let first = FileFlash::open(&path).unwrap();
        assert!(FileFlash::open(&path).is_err());
        drop(first);
        assert!(FileFlash::open(&path).is_ok());
    }
}
