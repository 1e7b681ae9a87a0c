//! Partitions in place of files: there, two, and long enough.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::{SLOT_UNIT, SlotFiles, SlotsError};

impl SlotFiles {
    pub(super) fn check_partitions(&self) -> Result<(), SlotsError> {
        let Some(paths) = &self.partitions else { return Ok(()) };
        let [first, second] = [open(&paths[0])?, open(&paths[1])?];
        if identity(&first, &paths[0])? == identity(&second, &paths[1])? {
            return Err(SlotsError::SamePartition { paths: paths.clone() });
        }
        self.usable_slot_bytes().map(drop)
    }

    /// Length of a slot of a gateway that starts for the first time.
    pub(super) fn usable_slot_bytes(&self) -> Result<u32, SlotsError> {
        let mut usable = self.slot_bytes;
        for path in self.partitions.iter().flatten() {
            let failed = |source| SlotsError::Partition { path: path.clone(), source };
            let size_bytes = open(path)?.seek(SeekFrom::End(0)).map_err(failed)?;
            if size_bytes < SLOT_UNIT.into() {
                return Err(SlotsError::ShortPartition { path: path.clone(), size_bytes });
            }
            usable = usable.min(u32::try_from(size_bytes).unwrap_or(u32::MAX));
        }
        Ok(usable - usable % SLOT_UNIT)
    }
}

fn open(path: &Path) -> Result<File, SlotsError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.map_err(|source| SlotsError::Partition { path: path.to_owned(), source })
}

/// What two names of one partition have in common: links lead to the same file, and device files
/// of one device have its number.
#[derive(PartialEq, Eq)]
enum Identity {
    Device(u64),
    File { device: u64, inode: u64 },
}

fn identity(file: &File, path: &Path) -> Result<Identity, SlotsError> {
    let found = file.metadata();
    let found = found.map_err(|source| SlotsError::Partition { path: path.to_owned(), source })?;
    Ok(match found.file_type().is_block_device() {
        true => Identity::Device(found.rdev()),
        false => Identity::File { device: found.dev(), inode: found.ino() },
    })
}
