//! Where a gateway keeps its images: two files or two partitions, a file of records, and the
//! link `current` to the image that runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use otaru_host::Storage;
use otaru_slots::table::{Role, Table};
use otaru_slots::{Layout, Region, Slot, TableError};

use crate::flash::{Keeps, Part};
use crate::{FileFlash, SimError};

/// What is before the slots: the partition table and the boot selector.
const HEAD_BYTES: u32 = 0x1_0000;
/// What is behind them: the records.
const TAIL_BYTES: u32 = 0x1_0000;
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
}

impl SlotFiles {
    /// Whether the state was made.
    pub(crate) fn exist(&self) -> bool {
        self.records().exists()
    }

    /// Makes state and slots anew, with an image in the first one.
    ///
    /// The records come last, under their own name when they are whole: a kill before that
    /// begins anew.
    pub(crate) fn make(&self, first_image: &Path) -> Result<(), SimError> {
        let image = std::fs::read(first_image).map_err(at(first_image))?;
        std::fs::create_dir_all(&self.state).map_err(at(&self.state))?;
        let slot_bytes = self.usable_slot_bytes()?;
        if image.len() > slot_bytes as usize {
            return Err(SimError::ImageTooLarge { size_bytes: image.len(), slot_bytes });
        }
        for slot in [Slot::Ota0, Slot::Ota1] {
            let path = self.slot(slot);
            let bytes: &[u8] = if slot == Slot::Ota0 { &image } else { &[] };
            self.write_slot(&path, bytes).map_err(at(&path))?;
        }
        let records = self.records();
        let unfinished = records.with_extension("new");
        let blank = vec![0xFF; (HEAD_BYTES + TAIL_BYTES) as usize];
        std::fs::write(&unfinished, blank).map_err(at(&unfinished))?;
        let flash_bytes = slot_bytes.saturating_mul(2).saturating_add(HEAD_BYTES + TAIL_BYTES);
        let layout = Layout::standard(flash_bytes, slot_bytes)?;
        let mut flash = self.chip(&unfinished, &layout)?;
        layout.write_table(&mut flash)?;
        Storage::open(&mut flash, &layout)?.save_factory(&mut flash, &image)?;
        flash.sync()?;
        std::fs::rename(&unfinished, &records).map_err(at(&records))?;
        sync_folder(&self.state).map_err(at(&self.state))
    }

    /// Opens state and slots for this process alone.
    pub(crate) fn open(&self) -> Result<FileFlash, SimError> {
        let records = self.records();
        let mut head = vec![0; HEAD_BYTES as usize];
        let read = File::open(&records).and_then(|mut file| file.read_exact(&mut head));
        read.map_err(at(&records))?;
        let layout = Layout::find(&Table::parse(&head[TABLE])?, u32::MAX)?;
        self.chip(&records, &layout)
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
        let current = self.current();
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

    fn records(&self) -> PathBuf {
        self.state.join("records")
    }

    fn slot(&self, slot: Slot) -> PathBuf {
        match &self.partitions {
            Some(partitions) => partitions[slot.index()].clone(),
            None => self.state.join(name(slot)),
        }
    }

    fn write_slot(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut open = OpenOptions::new();
        open.write(true);
        if self.partitions.is_none() {
            open.create(true).truncate(true);
        }
        let mut file = open.open(path)?;
        file.write_all(bytes)?;
        if self.partitions.is_none() {
            file.set_permissions(std::fs::Permissions::from_mode(0o755))?;
        }
        file.sync_all()
    }

    fn usable_slot_bytes(&self) -> Result<u32, SimError> {
        let mut usable = self.slot_bytes;
        for path in self.partitions.iter().flatten() {
            let length = File::open(path).and_then(|mut file| file.seek(SeekFrom::End(0)));
            let length = length.map_err(at(path))?;
            usable = usable.min(u32::try_from(length).unwrap_or(u32::MAX));
        }
        Ok(usable - usable % SLOT_UNIT)
    }

    fn chip(&self, records: &Path, layout: &Layout) -> Result<FileFlash, SimError> {
        let state = OpenOptions::new().read(true).write(true).open(records);
        let state = state.map_err(at(records))?;
        // Two devices on the same records would each see the other's writes as damage.
        let locked: io::Result<()> = state.try_lock().map_err(Into::into);
        locked.map_err(at(records))?;
        let [first, second] = [Slot::Ota0, Slot::Ota1].map(|slot| layout.slot(slot));
        let fits = first.offset == HEAD_BYTES
            && second.offset == first.end()
            && layout.otaru == Region::new(second.end(), TAIL_BYTES);
        if !fits {
            return Err(SimError::Layout(TableError::Missing(Role::Otaru)));
        }
        let records_part = |file, offset, file_offset| Part {
            file,
            offset,
            size: HEAD_BYTES,
            file_offset,
            keeps: Keeps::Records,
        };
        let tail = state.try_clone().map_err(at(records))?;
        let mut parts = vec![records_part(state, 0, 0)];
        for slot in [Slot::Ota0, Slot::Ota1] {
            let (path, Region { offset, size }) = (self.slot(slot), layout.slot(slot));
            let has_own_length = self.partitions.is_none();
            let mut open = OpenOptions::new();
            let file = open.read(true).write(!has_own_length).open(&path).map_err(at(&path))?;
            let keeps = if has_own_length { Keeps::Image(path) } else { Keeps::Partition };
            parts.push(Part { file, offset, size, file_offset: 0, keeps });
        }
        parts.push(records_part(tail, second.end(), HEAD_BYTES.into()));
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

fn at(path: &Path) -> impl FnOnce(io::Error) -> SimError + use<> {
    let path = path.to_owned();
    |source| SimError::File { path, source }
}

#[cfg(test)]
mod tests {
    use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

    use super::*;

    fn files(dir: &Path) -> SlotFiles {
        SlotFiles { state: dir.join("state"), partitions: None, slot_bytes: 2 * SLOT_UNIT }
    }

    #[test]
    fn a_new_gateway_runs_its_first_image() {
        let dir = tempfile::tempdir().unwrap();
        let (files, image) = (files(dir.path()), dir.path().join("image"));
        std::fs::write(&image, b"#!/bin/sh\n").unwrap();
        files.make(&image).unwrap();
        let mut flash = files.open().unwrap();
        assert!(matches!(files.open(), Err(SimError::File { .. })), "it is open already");
        let layout = Layout::read(&mut flash).unwrap();
        let mut found = [0; 12];
        flash.read(layout.slot(Slot::Ota0).offset, &mut found).unwrap();
        assert_eq!(&found, b"#!/bin/sh\n\xFF\xFF");

        files.activate(Slot::Ota0, 10).unwrap();
        assert!(!files.is_in_force());
        files.put_in_force().unwrap();
        files.activate(Slot::Ota0, 10).unwrap();
        assert!(files.is_in_force(), "nothing changed");
        assert_eq!(std::fs::read(files.current()).unwrap(), b"#!/bin/sh\n");
        assert_eq!(std::fs::metadata(files.current()).unwrap().permissions().mode() & 0o777, 0o755);

        // The padding of the last unit is no part of an image.
        flash.write(layout.slot(Slot::Ota1).offset, b"other\xFF\xFF\xFF").unwrap();
        files.activate(Slot::Ota1, 5).unwrap();
        assert!(!files.is_in_force());
        assert_eq!(std::fs::read(files.current()).unwrap(), b"other");
    }

    #[test]
    fn partitions_keep_their_length() {
        let dir = tempfile::tempdir().unwrap();
        let parts = ["a", "b"].map(|name| dir.path().join(name));
        std::fs::write(&parts[0], vec![0; 3 * SLOT_UNIT as usize + 5]).unwrap();
        std::fs::write(&parts[1], vec![0; 4 * SLOT_UNIT as usize]).unwrap();
        let slot_bytes = 100 * SLOT_UNIT;
        let files = SlotFiles { partitions: Some(parts.clone()), slot_bytes, ..files(dir.path()) };
        let image = dir.path().join("image");
        std::fs::write(&image, vec![1; 3 * SLOT_UNIT as usize + 1]).unwrap();
        assert!(matches!(
            files.make(&image),
            Err(SimError::ImageTooLarge { slot_bytes, .. }) if slot_bytes == 3 * SLOT_UNIT
        ));
        assert!(!files.exist());
        std::fs::write(&image, [1; 100]).unwrap();
        files.make(&image).unwrap();
        files.activate(Slot::Ota1, 7).unwrap();
        assert_eq!(std::fs::read_link(files.current()).unwrap(), parts[1]);
        assert_eq!(std::fs::metadata(&parts[1]).unwrap().len(), 4 * u64::from(SLOT_UNIT));
    }
}
