//! Chips that left one factory: each keeps what it changed, and shares the rest.
//!
//! A chip's file is sparse: its bytes are the chip's combined with the factory's by exclusive
//! or, so that a hole is what never changed. One write to flash is one write to the file, as
//! with a file that holds the whole chip. Behind the chip's end stands the factory's digest.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use otaru_slots::table::Table;
use otaru_slots::{Layout, SECTOR_BYTES, Slot};
use otaru_wire::Digest;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use crate::flash::{FileFlash, Keeps, Part};

const SECTOR: u64 = SECTOR_BYTES as u64;
/// Where the partition table is, and how long.
const TABLE: std::ops::Range<usize> = 0x8000..0x8C00;
const ERASED: [u8; SECTOR_BYTES as usize] = [0xFF; SECTOR_BYTES as usize];

/// What every chip of a fleet held when it left the factory: in memory once for all.
#[derive(Clone, Debug)]
pub struct FactoryFlash {
    bytes: Arc<[u8]>,
    digest: Digest,
}

/// What a chip has changed since, in a file of its own.
#[derive(Debug)]
pub(crate) struct Overlay {
    factory: FactoryFlash,
    /// One bit for each sector that the file may say something of.
    changed: Box<[AtomicU64]>,
}

impl FactoryFlash {
    /// Reads the file of a whole chip.
    pub fn read(path: &Path) -> io::Result<FactoryFlash> {
        let bytes = std::fs::read(path)?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(SECTOR_BYTES as usize) {
            let found = format!("flash file of {} bytes, expected whole sectors", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, found));
        }
        let digest = Digest::of(&bytes);
        Ok(FactoryFlash { bytes: bytes.into(), digest })
    }

    /// Whether this image, and nothing else, is in the first slot.
    pub fn holds(&self, image: &[u8]) -> bool {
        let layout = self.bytes.get(TABLE).and_then(|table| Table::parse(table).ok());
        let layout = layout.and_then(|table| Layout::find(&table, u32::MAX).ok());
        let slot = layout.map(|layout| layout.slot(Slot::Ota0));
        let slot = slot.and_then(|slot| self.bytes.get(slot.offset as usize..slot.end() as usize));
        slot.and_then(|slot| slot.strip_prefix(image))
            .is_some_and(|behind| behind.iter().all(|&byte| byte == 0xFF))
    }

    /// Opens a chip for this process alone; a file that is not there yet is a new chip.
    pub fn open(&self, path: &Path) -> io::Result<FileFlash> {
        if !path.exists() {
            self.make(path)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.try_lock()?;
        let size = self.bytes.len() as u64;
        let mut digest = [0; 32];
        let is_of_here = file.metadata()?.len() == size + digest.len() as u64
            && file.read_exact_at(&mut digest, size).is_ok()
            && digest == *self.digest.as_bytes();
        if !is_of_here {
            let found = "the chip left another factory: its first image was not this one";
            return Err(io::Error::new(io::ErrorKind::InvalidData, found));
        }
        let changed = self.changed_sectors(&file)?;
        let overlay = Overlay { factory: self.clone(), changed };
        let keeps = Keeps::Changes(overlay);
        let size = size as u32;
        Ok(FileFlash::of(vec![Part { file, offset: 0, size, file_offset: 0, keeps }]))
    }

    /// Made beside its place and moved there, so that a kill leaves no half chip behind.
    fn make(&self, path: &Path) -> io::Result<()> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let file = File::create(&unfinished)?;
        file.write_all_at(self.digest.as_bytes(), self.bytes.len() as u64)?;
        std::fs::rename(unfinished, path)
    }

    /// Asks the file where it has holes. A file system that knows none only costs time.
    fn changed_sectors(&self, file: &File) -> io::Result<Box<[AtomicU64]>> {
        let size = self.bytes.len() as u64;
        let words = (size / SECTOR).div_ceil(64);
        let changed: Box<[AtomicU64]> = (0..words).map(|_| AtomicU64::new(0)).collect();
        let mut at = 0;
        while at < size {
            at = match seek(file, SeekFrom::Data(at)) {
                Ok(data) => data,
                // Nothing but a hole until the end.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let hole = seek(file, SeekFrom::Hole(at))?.min(size);
            for sector in at / SECTOR..hole.div_ceil(SECTOR) {
                changed[(sector / 64) as usize].fetch_or(1 << (sector % 64), Ordering::Relaxed);
            }
            at = hole;
        }
        Ok(changed)
    }
}

impl Overlay {
    pub(crate) fn read(&self, file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut found = [0; SECTOR_BYTES as usize];
        for (at, range) in pieces(at, bytes.len()) {
            let bytes = &mut bytes[range];
            bytes.copy_from_slice(self.factory_at(at, bytes.len()));
            if self.is_changed(at) {
                let found = &mut found[..bytes.len()];
                file.read_exact_at(found, at)?;
                combine(bytes, found);
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut difference = [0; SECTOR_BYTES as usize];
        for (at, range) in pieces(at, bytes.len()) {
            let bytes = &bytes[range];
            let difference = &mut difference[..bytes.len()];
            difference.copy_from_slice(bytes);
            combine(difference, self.factory_at(at, bytes.len()));
            if !self.is_changed(at) && difference.iter().all(|&byte| byte == 0) {
                continue;
            }
            self.note(at);
            file.write_all_at(difference, at)?;
        }
        Ok(())
    }

    /// Erases the sector that begins at `at`. One that was erased in the factory needs no place.
    pub(crate) fn erase_sector(&self, file: &File, at: u64) -> io::Result<()> {
        if self.factory_at(at, ERASED.len()) == ERASED && self.is_changed(at) {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match fallocate(file, flags, at, SECTOR) {
                Ok(()) => {
                    let (word, bit) = place(at);
                    self.changed[word].fetch_and(!bit, Ordering::Relaxed);
                    return Ok(());
                }
                Err(Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.write(file, at, &ERASED)
    }

    fn factory_at(&self, at: u64, length: usize) -> &[u8] {
        &self.factory.bytes[at as usize..at as usize + length]
    }

    fn is_changed(&self, at: u64) -> bool {
        let (word, bit) = place(at);
        self.changed[word].load(Ordering::Relaxed) & bit != 0
    }

    fn note(&self, at: u64) {
        let (word, bit) = place(at);
        self.changed[word].fetch_or(bit, Ordering::Relaxed);
    }
}

fn place(at: u64) -> (usize, u64) {
    let sector = at / SECTOR;
    ((sector / 64) as usize, 1 << (sector % 64))
}

/// A range of the chip sector by sector: where each piece is, and which of the bytes it has.
fn pieces(at: u64, length: usize) -> impl Iterator<Item = (u64, core::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let begin = at + done as u64;
        let room = (SECTOR - begin % SECTOR) as usize;
        let range = done..length.min(done + room);
        done = range.end;
        (!range.is_empty()).then_some((begin, range))
    })
}

fn combine(bytes: &mut [u8], others: &[u8]) {
    bytes.iter_mut().zip(others).for_each(|(byte, other)| *byte ^= other);
}

#[cfg(test)]
mod tests;
