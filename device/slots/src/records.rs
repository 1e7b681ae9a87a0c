//! Small values that survive a power cut at any instant.
//!
//! A log of checked records in a ring of sectors. A value is replaced by
//! appending; [`compact`] moves what is still current out of the oldest sector
//! before that one is erased for use again, so wear spreads evenly. A sector
//! counts once its header is written, which happens last; a record counts once
//! its checksums hold, with at most one bit turned over in its header and one
//! in its value. Hence after a cut every key has its old or its new value,
//! whole. What a cut write left may even read differently at every
//! power-on, so nothing is built on it: [`judge`] passes over such a sector,
//! and before the first change after opening, [`settle`] voids what is no record
//! yet and writes the youngest one anew. Formats are in [`format`].

mod compact;
mod format;
mod judge;
mod open;
mod settle;
mod write;

use embedded_storage::nor_flash::ReadNorFlash;

use crate::FlashError;
use crate::crc::{ValueCheck, ValueFound};
use crate::flash::{self, Region, SECTOR_BYTES};
use format::{END, RECORD_HEADER_BYTES, RecordHeader, UNIT};

/// Longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 4000;
/// Keys are 0 to this minus one.
pub const KEYS: u8 = 127;

/// The store's own key: why it was created again. Kept until acknowledged.
const RECREATED_KEY: u8 = KEYS;
/// Keys of the index: every key, and the store's own.
const INDEX_KEYS: usize = KEYS as usize + 1;
/// Compaction needs a sector to read, one to fill and one to spare.
const MIN_SECTORS: u32 = 3;
/// A location counts units in 16 bits, which is 2 MiB less one sector.
const MAX_SECTORS: u32 = 511;
/// Location of a key that has no value.
const NOWHERE: u16 = u16::MAX;

/// How the partition was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It has this layout version and could be read.
    Clean,
    /// It was blank, or nothing was put here yet; it has been formatted.
    Fresh,
    /// What was there is lost. Answered at every open until
    /// [`Records::acknowledge_recreated`].
    Recreated(RecreatedReason),
}

/// Why storage was created again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecreatedReason {
    /// No sector could be read.
    Unreadable = 1,
    /// A newer firmware wrote it in a layout this one does not know.
    Newer = 2,
}

impl RecreatedReason {
    fn from_byte(byte: u8) -> RecreatedReason {
        match byte {
            2 => RecreatedReason::Newer,
            _ => RecreatedReason::Unreadable,
        }
    }
}

/// Why a record could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Flash failed.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// Keys are 0 to 126.
    #[error("key {found}, expected less than {KEYS}")]
    KeyOutOfRange {
        /// The key that was asked for.
        found: u8,
    },
    /// The value is longer than a record can be.
    #[error("value of {found} bytes, at most {MAX_VALUE_BYTES}")]
    ValueTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The caller's buffer is shorter than the value.
    #[error("value of {needed} bytes does not fit a buffer of {found} bytes")]
    BufferTooSmall {
        /// Length of the buffer in bytes.
        found: usize,
        /// Length of the value in bytes.
        needed: usize,
    },
    /// The current values leave no room.
    #[error("storage is full")]
    Full,
    /// The partition has no room for a ring of sectors, or does not begin at a sector.
    #[error("storage partition of {found} bytes: expected whole sectors, at least 3")]
    RegionShape {
        /// Its length in bytes.
        found: u32,
    },
}

/// A power-safe key→bytes store in one partition.
///
/// Holds an index of 256 bytes; values stay in flash. After an error the store
/// is still consistent with flash, and the key has its old value.
#[derive(Debug)]
pub struct Records {
    region: Region,
    /// Where each key's current record is, in units from the region's start.
    index: [u16; INDEX_KEYS],
    /// Number of the sector that is being filled.
    head: u32,
    /// Its sequence.
    head_sequence: u32,
    /// Sectors with a lower sequence are free.
    floor: u32,
    /// Where the next record goes, in bytes from the head sector's start.
    write_at: u32,
    /// Sequence of the next record.
    next_sequence: u32,
    /// Flash the current records take, in bytes.
    live_bytes: u32,
    /// Whether what is no record by now will be none at any later power-on.
    is_voided: bool,
    /// Key of the youngest record, until it is known not to be what power was
    /// cut in.
    unsettled: Option<u8>,
    /// Whether the head's header counts at the next power-on.
    is_proven: bool,
}

impl Records {
    /// Reads a value into `buffer`; `None` when the key has none.
    ///
    /// Errors: [`StorageError::BufferTooSmall`] names the length needed; a
    /// value that rotted since the partition was opened is a flash error.
    pub fn get<'b, F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StorageError> {
        self.get_any(flash, checked(key)?, buffer)
    }

    fn get_any<'b, F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StorageError> {
        let Some(header) = self.current(flash, key)? else { return Ok(None) };
        let needed = usize::from(header.len_bytes);
        let found = buffer.len();
        let value =
            buffer.get_mut(..needed).ok_or(StorageError::BufferTooSmall { found, needed })?;
        let offset = self.offset_of(self.location_of(key.into())) + RECORD_HEADER_BYTES;
        flash::read(flash, offset, value)?;
        match header.check.compare(ValueCheck::of(value), needed) {
            ValueFound::Whole => {}
            ValueFound::Flipped(bit) => {
                if let Some(byte) = value.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            ValueFound::Torn => return Err(FlashError::ReadBack { offset }.into()),
        }
        Ok(Some(value))
    }

    /// Length of a value in bytes; `None` when the key has none.
    pub fn len<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
    ) -> Result<Option<usize>, StorageError> {
        let header = self.current(flash, checked(key)?)?;
        Ok(header.map(|header| usize::from(header.len_bytes)))
    }

    /// Flash the current values take, record headers and padding included, in bytes.
    pub fn live_bytes(&self) -> u32 {
        self.live_bytes
    }

    /// Flash that current values may take at most, in bytes.
    ///
    /// Half of it is always usable; how much of the rest depends on how the
    /// values' lengths fill the sectors. Where no new value fits any more,
    /// replacing one by one that is not longer still does.
    pub fn capacity_bytes(&self) -> u32 {
        (self.sectors() - 2) * (END - UNIT)
    }

    /// Flash that a value of so many bytes takes, record header and padding included.
    pub fn footprint_bytes(value_bytes: usize) -> u32 {
        RecordHeader::footprint(value_bytes)
    }

    /// Rises with every write: orders the values of different keys by age.
    pub(crate) fn sequence<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
    ) -> Result<Option<u32>, StorageError> {
        Ok(self.current(flash, checked(key)?)?.map(|header| header.sequence))
    }

    /// Header of the key's current record.
    fn current<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
    ) -> Result<Option<RecordHeader>, FlashError> {
        let location = self.location_of(key.into());
        if location == NOWHERE {
            return Ok(None);
        }
        let offset = self.offset_of(location);
        // It was intact when it was indexed.
        let header = RecordHeader::read(flash, offset)?.ok_or(FlashError::ReadBack { offset })?;
        Ok(Some(header))
    }

    /// Where a key's current record is.
    fn location_of(&self, key: usize) -> u16 {
        self.index.get(key).copied().unwrap_or(NOWHERE)
    }

    fn set_location(&mut self, key: usize, location: u16) {
        if let Some(held) = self.index.get_mut(key) {
            *held = location;
        }
    }

    fn sectors(&self) -> u32 {
        self.region.size / SECTOR_BYTES
    }

    /// The next in the ring.
    fn sector_behind(&self, sector: u32) -> u32 {
        if sector + 1 < self.sectors() { sector + 1 } else { 0 }
    }

    /// First byte of a sector, from the start of the chip.
    fn sector_offset(&self, sector: u32) -> u32 {
        self.region.offset + sector * SECTOR_BYTES
    }

    /// First byte of a location, from the start of the chip.
    fn offset_of(&self, location: u16) -> u32 {
        self.region.offset + u32::from(location) * UNIT
    }

    /// The location `at` bytes into a sector.
    fn location(sector: u32, at: u32) -> u16 {
        // MAX_SECTORS keeps every location below NOWHERE.
        ((sector * SECTOR_BYTES + at) / UNIT) as u16
    }
}

fn checked(key: u8) -> Result<u8, StorageError> {
    if key < KEYS { Ok(key) } else { Err(StorageError::KeyOutOfRange { found: key }) }
}
