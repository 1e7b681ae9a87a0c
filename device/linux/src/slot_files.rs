//! Where a gateway keeps its images: two files or two partitions, a file of records, and the
//! link `current` to the image that runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use otaru_host::Storage;
use otaru_slots::table::Table;
use otaru_slots::{Layout, Region, Slot};

use crate::flash::{Keeps, Part};
use crate::{FileFlash, SimError};

mod again;
mod content;
mod error;
mod partitions;
#[cfg(test)]
mod tests;

pub use error::SlotsError;
pub(crate) use partitions::Partition;

/// What is before the slots: the partition table and the boot selector.
const HEAD_BYTES: u32 = 0x1_0000;
/// What is behind them: the records.
const TAIL_BYTES: u32 = 0x1_0000;
/// Length of the file of records.
const RECORDS_BYTES: usize = (HEAD_BYTES + TAIL_BYTES) as usize;
/// Where the table is, and how long.
const TABLE: std::ops::Range<usize> = 0x8000..0x8C00;
/// Slots are whole multiples of it.
const SLOT_UNIT: u32 = 0x1_0000;

/// A gateway's two slots and its state.
#[derive(Clone, Debug)]
pub struct SlotFiles {
    /// Folder of the records, of the link `current` and, without [`SlotFiles::partitions`], of
    /// the images `slot-a` and `slot-b`.
    pub state: PathBuf,
    /// Block devices, or files of a fixed length, in place of `slot-a` and `slot-b`.
    pub partitions: Option<[PathBuf; 2]>,
    /// Longest image in bytes; of partitions the shorter one, if less. It is fixed with the first
    /// start.
    pub slot_bytes: u32,
    /// Whether the first start overwrites whatever is in the partitions.
    pub overwrite: bool,
}

/// What is there of a gateway's state.
enum Found {
    /// Nothing, or what a first start did not come to the end with.
    Nothing,
    Whole(Layout),
    /// Slots, and no records or such as cannot be read.
    Damaged,
}

impl SlotFiles {
    /// Looks whether slots and state can be used, and the first image where it is needed; changes
    /// nothing.
    pub fn check(&self, first_image: Option<&Path>) -> Result<(), SlotsError> {
        self.check_partitions()?;
        match self.find()? {
            Found::Nothing => {
                let path = self.check_first_image(first_image)?;
                let head = File::open(path).and_then(|mut image| partitions::head_of(&mut image));
                self.claim(&head.map_err(in_first_image(path))?).map(drop)
            }
            Found::Whole(_) | Found::Damaged => Ok(()),
        }
    }

    /// Opens state and slots for this process alone. At the first start they are made, and records
    /// that were lost are made again.
    pub(crate) fn open(&self, first_image: Option<&Path>) -> Result<FileFlash, SlotsError> {
        self.check_partitions()?;
        let layout = match self.find()? {
            Found::Nothing => self.make(self.check_first_image(first_image)?)?,
            Found::Whole(layout) => layout,
            Found::Damaged => self.make_again()?,
        };
        self.chip(&self.records(), &layout)
    }

    fn find(&self) -> Result<Found, SlotsError> {
        let path = self.records();
        let records = match std::fs::read(&path) {
            Ok(records) => records,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(match self.current_slot() {
                    Some(_) => Found::Damaged,
                    None => Found::Nothing,
                });
            }
            Err(error) => return Err(in_state(&path)(error)),
        };
        let layout = records.get(TABLE).and_then(|table| Table::parse(table).ok());
        let layout = layout.and_then(|table| Layout::find(&table, u32::MAX).ok());
        let layout = layout.filter(|layout| is_ours(layout) && records.len() >= RECORDS_BYTES);
        Ok(layout.map_or(Found::Damaged, Found::Whole))
    }

    /// The first image, if it is there and fits.
    fn check_first_image<'p>(&self, path: Option<&'p Path>) -> Result<&'p Path, SlotsError> {
        let state = self.state.clone();
        let path = path.ok_or(SlotsError::NoFirstImage { state })?;
        let found = File::open(path).and_then(|image| image.metadata());
        let found = found.map_err(in_first_image(path))?;
        if !found.is_file() {
            return Err(in_first_image(path)(io::Error::other("it is no file")));
        }
        let (size_bytes, slot_bytes) = (found.len(), self.usable_slot_bytes()?);
        match size_bytes <= slot_bytes.into() {
            true => Ok(path),
            false => {
                let path = path.to_owned();
                Err(SlotsError::ImageTooLarge { path, size_bytes, slot_bytes })
            }
        }
    }

    /// Makes state and slots anew, with an image in the first one.
    ///
    /// The records come last, under their own name when they are whole: a kill before that
    /// begins anew.
    fn make(&self, first_image: &Path) -> Result<Layout, SlotsError> {
        let image = std::fs::read(first_image).map_err(in_first_image(first_image))?;
        let partitions = self.claim(&image)?;
        std::fs::create_dir_all(&self.state).map_err(in_state(&self.state))?;
        let layout = layout_of(self.usable_slot_bytes()?)?;
        if self.partitions.is_none() {
            for (slot, bytes) in [(Slot::Ota0, image.as_slice()), (Slot::Ota1, &[])] {
                let path = self.slot(slot);
                write_slot(&path, bytes).map_err(in_state(&path))?;
            }
        } else if let Some(mut first) = partitions.first() {
            let written = first.write_all(&image).and_then(|()| first.sync_all());
            written.map_err(in_state(&self.slot(Slot::Ota0)))?;
        }
        drop(partitions);
        let unfinished = self.write_unfinished(&[0xFF; RECORDS_BYTES])?;
        let mut flash = self.chip(&unfinished, &layout)?;
        layout.write_table(&mut flash).map_err(SimError::from)?;
        keep_factory(&mut flash, &layout, &image)?;
        self.finish(flash, &unfinished)?;
        Ok(layout)
    }

    /// Writes records beside their place.
    fn write_unfinished(&self, bytes: &[u8]) -> Result<PathBuf, SlotsError> {
        let unfinished = self.records().with_extension("new");
        std::fs::write(&unfinished, bytes).map_err(in_state(&unfinished))?;
        Ok(unfinished)
    }

    /// Puts whole records into their place in one step.
    fn finish(&self, flash: FileFlash, unfinished: &Path) -> Result<(), SlotsError> {
        flash.sync().map_err(SimError::from)?;
        let records = self.records();
        std::fs::rename(unfinished, &records).map_err(in_state(&records))?;
        sync_folder(&self.state).map_err(in_state(&self.state))
    }

    /// Makes `current` the image of this slot.
    ///
    /// An image that has a file of its own is as long as it is, and may be started.
    pub(crate) fn activate(&self, slot: Slot, image_bytes: u32) -> io::Result<()> {
        let path = self.slot(slot);
        if self.partitions.is_none() {
            let file = File::open(&path)?;
            if file.metadata()?.len() != u64::from(image_bytes) {
                OpenOptions::new().write(true).open(&path)?.set_len(image_bytes.into())?;
            }
            file.sync_all()?;
        }
        self.make_current(slot)
    }

    /// The same, of an image that has the length of its file.
    pub(crate) fn make_current(&self, slot: Slot) -> io::Result<()> {
        let (current, path) = (self.current(), self.slot(slot));
        let to = if self.partitions.is_none() { PathBuf::from(name(slot)) } else { path };
        if std::fs::read_link(&current).is_ok_and(|found| found == to) {
            return Ok(());
        }
        // First: whatever runs from now on is not what the link says.
        remove(&self.in_force())?;
        sync_folder(&self.state)?;
        let unfinished = self.state.join("current.new");
        remove(&unfinished)?;
        symlink(&to, &unfinished)?;
        std::fs::rename(&unfinished, &current)?;
        sync_folder(&self.state)
    }

    /// Whether the product was started again since `current` changed.
    pub(crate) fn is_in_force(&self) -> bool {
        self.in_force().exists()
    }

    /// The product runs what `current` says.
    pub(crate) fn put_in_force(&self) -> io::Result<()> {
        std::fs::write(self.in_force(), b"")?;
        sync_folder(&self.state)
    }

    fn in_force(&self) -> PathBuf {
        self.state.join("in-force")
    }

    /// The link to the image that runs.
    pub(crate) fn current(&self) -> PathBuf {
        self.state.join("current")
    }

    /// Whether there is something to run.
    pub(crate) fn has_current(&self) -> bool {
        self.current().exists()
    }

    /// Whether the records can be written: by what is there already, in its place.
    pub(crate) fn is_writable(&self) -> bool {
        let written =
            OpenOptions::new().read(true).write(true).open(self.records()).and_then(|file| {
                let mut byte = [0];
                file.read_exact_at(&mut byte, 0)?;
                file.write_all_at(&byte, 0)?;
                file.sync_all()
            });
        // Lost ones are made again.
        written.is_ok() || !self.records().exists()
    }

    fn records(&self) -> PathBuf {
        self.state.join("records")
    }

    fn slot(&self, slot: Slot) -> PathBuf {
        match &self.partitions {
            Some(partitions) => partitions[slot.index()].clone(),
            None => self.state.join(name(slot)),
        }
    }

    fn chip(&self, records: &Path, layout: &Layout) -> Result<FileFlash, SlotsError> {
        let state = locked(records)?;
        let end = layout.slot(Slot::Ota1).end();
        let records_part = |file, offset, file_offset| Part {
            file,
            offset,
            size: HEAD_BYTES,
            file_offset,
            keeps: Keeps::Records,
        };
        let tail = state.try_clone().map_err(in_state(records))?;
        let mut parts = vec![records_part(state, 0, 0)];
        for slot in [Slot::Ota0, Slot::Ota1] {
            let (path, Region { offset, size }) = (self.slot(slot), layout.slot(slot));
            let file = File::open(&path).map_err(in_state(&path))?;
            let keeps = match self.partitions {
                Some(_) => Keeps::Partition(Partition::new(path)),
                None => Keeps::Image(path),
            };
            parts.push(Part { file, offset, size, file_offset: 0, keeps });
        }
        parts.push(records_part(tail, end, HEAD_BYTES.into()));
        Ok(FileFlash::of(parts))
    }
}

fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::Ota0 => "slot-a",
        Slot::Ota1 => "slot-b",
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a file that holds an image and may be started.
fn write_slot(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o755))?;
    file.sync_all()
}

fn in_first_image(path: &Path) -> impl FnOnce(io::Error) -> SlotsError + use<> {
    let path = path.to_owned();
    |source| SlotsError::FirstImage { path, source }
}

fn in_state(path: &Path) -> impl FnOnce(io::Error) -> SlotsError + use<> {
    let path = path.to_owned();
    |source| SlotsError::State { path, source }
}

/// Opens records for this process alone.
fn locked(path: &Path) -> Result<File, SlotsError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(in_state(path))?;
    // Two devices on the same records would each see the other's writes as damage.
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => SlotsError::InUse { path: path.to_owned() },
        TryLockError::Error(error) => in_state(path)(error),
    })?;
    Ok(file)
}

/// Records of a chip whose slots have this length.
fn layout_of(slot_bytes: u32) -> Result<Layout, SlotsError> {
    let flash_bytes = slot_bytes.saturating_mul(2).saturating_add(HEAD_BYTES + TAIL_BYTES);
    Ok(Layout::standard(flash_bytes, slot_bytes).map_err(SimError::from)?)
}

/// Whether the slots lie between head and tail of the records, as in every layout made here.
fn is_ours(layout: &Layout) -> bool {
    let [first, second] = [Slot::Ota0, Slot::Ota1].map(|slot| layout.slot(slot));
    first.offset == HEAD_BYTES
        && second.offset == first.end()
        && layout.otaru == Region::new(second.end(), TAIL_BYTES)
}

/// Keeps length and digest of an image that has no manifest.
fn keep_factory(flash: &mut FileFlash, layout: &Layout, image: &[u8]) -> Result<(), SlotsError> {
    let mut storage = Storage::open(flash, layout).map_err(SimError::from)?;
    Ok(storage.save_factory(flash, image).map_err(SimError::from)?)
}
