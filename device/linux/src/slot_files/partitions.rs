//! Partitions in place of files: there, two, long enough, and at a first start free to be written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, OFlags, access};

use super::content::{HEAD_BYTES, is_free, name_of};
use super::{SLOT_UNIT, SlotFiles, SlotsError};

/// A partition that is opened for writing at the first write and let go when everything is on the
/// disk: nobody can mount it in between, and what is mounted is not written.
#[derive(Debug)]
pub(crate) struct Partition {
    path: PathBuf,
    writer: Mutex<Option<File>>,
}

impl Partition {
    pub(super) fn new(path: PathBuf) -> Partition {
        Partition { path, writer: Mutex::default() }
    }

    /// Gives what is open for writing to `write`.
    pub(crate) fn write(&self, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            *writer = Some(open_alone(&self.path).map_err(|error| {
                let path = self.path.display();
                io::Error::new(error.kind(), format!("could not open {path} alone: {error}"))
            })?);
        }
        writer.as_ref().map_or(Ok(()), write)
    }

    /// Lets whoever runs what was written mount it.
    pub(crate) fn let_go(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

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
            let size_bytes = open(path)?.seek(SeekFrom::End(0)).map_err(failed(path))?;
            if size_bytes < SLOT_UNIT.into() {
                return Err(SlotsError::ShortPartition { path: path.clone(), size_bytes });
            }
            usable = usable.min(u32::try_from(size_bytes).unwrap_or(u32::MAX));
        }
        Ok(usable - usable % SLOT_UNIT)
    }

    /// Opens the partitions for a first start, as nobody else may then: a name with a slip of the
    /// pen in it is somebody's data.
    pub(super) fn claim(&self, first_image: &[u8]) -> Result<Vec<File>, SlotsError> {
        self.partitions.iter().flatten().map(|path| self.claim_one(path, first_image)).collect()
    }

    fn claim_one(&self, path: &Path, first_image: &[u8]) -> Result<File, SlotsError> {
        let mut file = open_alone(path).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => SlotsError::PartitionInUse { path: path.to_owned() },
            _ => failed(path)(error),
        })?;
        let head = head_of(&mut file).map_err(failed(path))?;
        file.rewind().map_err(failed(path))?;
        if !self.overwrite && !is_free(&head, first_image) {
            let (path, state) = (path.to_owned(), self.state.clone());
            return Err(SlotsError::PartitionHolds { path, state, found: name_of(&head) });
        }
        Ok(file)
    }
}

/// The part of a partition, or of an image, that says what it is.
pub(super) fn head_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Opens a partition to look at it: what runs from there may have it mounted.
fn open(path: &Path) -> Result<File, SlotsError> {
    access(path, Access::READ_OK | Access::WRITE_OK).map_err(|error| failed(path)(error.into()))?;
    File::open(path).map_err(failed(path))
}

/// Opens a partition to write it. Linux refuses that where it is mounted, or another's so.
fn open_alone(path: &Path) -> io::Result<File> {
    let alone = OFlags::EXCL.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(alone).open(path)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SlotsError + use<> {
    let path = path.to_owned();
    |source| SlotsError::Partition { path, source }
}

/// What two names of one partition have in common: links lead to the same file, and device files
/// of one device have its number.
#[derive(PartialEq, Eq)]
enum Identity {
    Device(u64),
    File { device: u64, inode: u64 },
}

fn identity(file: &File, path: &Path) -> Result<Identity, SlotsError> {
    let found = file.metadata().map_err(failed(path))?;
    Ok(match found.file_type().is_block_device() {
        true => Identity::Device(found.rdev()),
        false => Identity::File { device: found.dev(), inode: found.ino() },
    })
}
