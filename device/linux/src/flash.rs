//! NOR flash in files: bits only fall until their sector is erased, and every
//! operation is in its file when it returns, so killing the process is a power cut.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use otaru_slots::SECTOR_BYTES;

use crate::overlay::Overlay;
use crate::power::Power;
use crate::slot_files::Partition;

/// Bytes of one erased sector.
const ERASED: [u8; SECTOR_BYTES as usize] = [0xFF; SECTOR_BYTES as usize];

/// A flash chip in one file or several. Clones are the same chip.
#[derive(Clone, Debug)]
pub struct FileFlash {
    parts: Arc<[Part]>,
    size_bytes: u32,
    power: Arc<Power>,
}

/// A range of the chip and the file it is in.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: File,
    /// First byte, from the start of the chip.
    pub(crate) offset: u32,
    /// Length in bytes.
    pub(crate) size: u32,
    /// First byte in the file.
    pub(crate) file_offset: u64,
    pub(crate) keeps: Keeps,
}

/// What a part is good for, and so how it is written.
#[derive(Debug)]
pub(crate) enum Keeps {
    /// A simulated chip: what the operating system has is written.
    Simulation,
    /// A simulated chip as well, of which the file has what it changed since the factory.
    Changes(Overlay),
    /// Records: on the disk when an operation returns, in the order of operations.
    Records,
    /// An image in a range of fixed length: on the disk with [`FileFlash::sync`].
    Partition(Partition),
    /// An image in a file of its own: on the disk with [`FileFlash::sync`]. What is behind the file's end is erased.
    ///
    /// The file is open for reading alone, and by this path for each write: no program can be
    /// started from a file that somebody may write.
    Image(PathBuf),
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
    /// The simulated chip has no power.
    #[error("flash has no power")]
    PowerLost,
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
        let (offset, file_offset, keeps) = (0, 0, Keeps::Simulation);
        let part = Part { file, offset, size: size_bytes, file_offset, keeps };
        Ok(FileFlash::of(vec![part]))
    }

    /// A chip of these parts, one behind the other without a gap.
    pub(crate) fn of(parts: Vec<Part>) -> FileFlash {
        let size_bytes = parts.iter().map(|part| part.size).sum();
        FileFlash { parts: parts.into(), size_bytes, power: Arc::default() }
    }

    /// Takes a simulated chip's power within the next operation that changes something; `byte`
    /// chooses how much of that is done.
    pub(crate) fn cut_power(&self, byte: u64) {
        self.power.go(byte);
    }

    /// Gives power back.
    pub(crate) fn restore_power(&self) {
        self.power.come_back();
    }

    /// Fails when power is gone.
    pub(crate) fn check_power(&self) -> Result<(), FileFlashError> {
        if self.power.is_on() { Ok(()) } else { Err(FileFlashError::PowerLost) }
    }

    /// Returns when everything is on the disk.
    pub(crate) fn sync(&self) -> Result<(), FileFlashError> {
        let is_kept = |part: &&Part| !matches!(part.keeps, Keeps::Simulation | Keeps::Changes(_));
        let mut kept = self.parts.iter().filter(is_kept);
        kept.try_for_each(Part::sync).map_err(io_error)
    }

    /// Writes any number of bytes into blank flash; the last unit is padded with erased bytes.
    pub(crate) fn program(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(<FileFlash as NorFlash>::WRITE_SIZE), 0xFF);
        self.write(offset, &padded)
    }

    /// The part that holds the whole range, and where in its file the range begins.
    fn part(
        &self,
        offset: u32,
        length: usize,
        unit: usize,
    ) -> Result<(&Part, u64), FileFlashError> {
        let length = u32::try_from(length).map_err(|_| FileFlashError::OutOfBounds)?;
        let end = offset.checked_add(length).ok_or(FileFlashError::OutOfBounds)?;
        let holds = |part: &&Part| part.offset <= offset && end <= part.offset + part.size;
        let part = self.parts.iter().find(holds).ok_or(FileFlashError::OutOfBounds)?;
        let unit = unit as u32;
        match offset.is_multiple_of(unit) && length.is_multiple_of(unit) {
            true => Ok((part, part.file_offset + u64::from(offset - part.offset))),
            false => Err(FileFlashError::NotAligned),
        }
    }
}

impl Part {
    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &self.keeps {
            Keeps::Changes(overlay) => return overlay.read(&self.file, at, bytes),
            Keeps::Image(_) => {}
            _ => return self.file.read_exact_at(bytes, at),
        }
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(&mut bytes[read..], at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes[read..].fill(0xFF);
        Ok(())
    }

    fn erase_sector(&self, at: u64) -> io::Result<()> {
        if let Keeps::Changes(overlay) = &self.keeps {
            return overlay.erase_sector(&self.file, at);
        }
        if let Keeps::Image(path) = &self.keeps {
            let length = self.file.metadata()?.len();
            if length <= at + u64::from(SECTOR_BYTES) {
                return match length > at {
                    true => OpenOptions::new().write(true).open(path)?.set_len(at),
                    false => Ok(()),
                };
            }
        }
        self.write(at, &ERASED)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Keeps::Partition(partition) = &self.keeps {
            partition.let_go();
        }
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match &self.keeps {
            Keeps::Simulation => self.file.write_all_at(bytes, at),
            Keeps::Partition(partition) => partition.write(|file| file.write_all_at(bytes, at)),
            Keeps::Changes(overlay) => overlay.write(&self.file, at, bytes),
            Keeps::Records => {
                self.file.write_all_at(bytes, at)?;
                self.file.sync_data()
            }
            Keeps::Image(path) => {
                OpenOptions::new().write(true).open(path)?.write_all_at(bytes, at)
            }
        }
    }
}

fn io_error(error: io::Error) -> FileFlashError {
    tracing::error!(error = %error, "Flash file failed");
    FileFlashError::Io(error.kind())
}

impl NorFlashError for FileFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            FileFlashError::Io(_) | FileFlashError::PowerLost => NorFlashErrorKind::Other,
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
        let (part, at) = self.part(offset, bytes.len(), Self::READ_SIZE)?;
        self.check_power()?;
        part.read(at, bytes).map_err(io_error)
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
        let (part, at) = self.part(from, length as usize, Self::ERASE_SIZE)?;
        for sector in (0..length).step_by(Self::ERASE_SIZE) {
            let at = at + u64::from(sector);
            match self.power.reaches(Self::ERASE_SIZE) {
                Self::ERASE_SIZE => part.erase_sector(at),
                torn => part.write(at, &ERASED[..torn]),
            }
            .map_err(io_error)?;
            self.check_power()?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        let (part, at) = self.part(offset, bytes.len(), Self::WRITE_SIZE)?;
        let mut cells = vec![0; self.power.reaches(bytes.len())];
        part.read(at, &mut cells).map_err(io_error)?;
        // Programming clears bits; only an erase sets them.
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        part.write(at, &cells).map_err(io_error)?;
        self.check_power()
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

    /// The file of an image is as long as the image, whatever was in it before.
    #[test]
    fn an_image_of_its_own_file_is_erased_behind_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slot-a");
        std::fs::write(&path, vec![0; 3 * SECTOR_BYTES as usize - 7]).unwrap();
        let file = File::open(&path).unwrap();
        let (size, file_offset, keeps) = (8 * SECTOR_BYTES, 0, Keeps::Image(path.clone()));
        let part = Part { file, offset: SECTOR_BYTES, size, file_offset, keeps };
        let mut flash = FileFlash::of(vec![part]);
        let length = || std::fs::metadata(&path).unwrap().len();
        let mut found = [0; 12];
        flash.read(4 * SECTOR_BYTES - 8, &mut found).unwrap();
        assert_eq!(found, [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
        flash.erase(3 * SECTOR_BYTES, 5 * SECTOR_BYTES).unwrap();
        assert_eq!(length(), u64::from(2 * SECTOR_BYTES));
        flash.erase(SECTOR_BYTES, 2 * SECTOR_BYTES).unwrap();
        assert_eq!(length(), u64::from(2 * SECTOR_BYTES));
        flash.write(3 * SECTOR_BYTES, &[7; 4]).unwrap();
        assert_eq!(length(), u64::from(2 * SECTOR_BYTES) + 4);
        flash.sync().unwrap();
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
