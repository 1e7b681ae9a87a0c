//! Making room: opening the next sector of the ring.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::format::{RecordHeader, SectorHeader, UNIT};
use super::{INDEX_KEYS, NOWHERE, Records, StorageError};
use crate::FlashError;
use crate::crc::Crc32c;
use crate::flash::{self, SECTOR_BYTES};

/// Copies go through a buffer of this many bytes.
const COPY_BYTES: usize = 256;

/// A sector that is being filled with copies.
struct Target {
    sector: u32,
    sequence: u32,
    write_at: u32,
}

impl Records {
    /// Opens sectors until the head has `footprint` bytes left.
    ///
    /// Errors: [`StorageError::Full`] after one turn of the ring.
    pub(super) fn make_room<F: NorFlash>(
        &mut self,
        flash: &mut F,
        footprint: u32,
    ) -> Result<(), StorageError> {
        for _ in 0..=self.sectors() {
            if self.write_at + footprint <= SECTOR_BYTES {
                return Ok(());
            }
            self.open_next_sector(flash)?;
        }
        Err(StorageError::Full)
    }

    /// Makes the next free sector the head. When that was the last free one,
    /// the oldest sector's current records move first, and it becomes free.
    ///
    /// The new sector counts once its header is written, which is last: a cut
    /// before leaves only copies behind, which are free again.
    fn open_next_sector<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), StorageError> {
        let (next, free, oldest) = self.survey(flash)?;
        let mut target = Target { sector: next, sequence: self.head_sequence + 1, write_at: UNIT };
        let mut floor = self.floor;
        if free == 1 {
            self.fill_head_from(flash, oldest.0)?;
            flash::erase_sector(flash, self.sector_offset(next))?;
            for key in 0..INDEX_KEYS {
                if sector_of(self.index[key]) == Some(oldest.0) {
                    self.copy(flash, key, &mut target)?;
                }
            }
            floor = oldest.1 + 1;
        } else {
            flash::erase_sector(flash, self.sector_offset(next))?;
        }
        let header = SectorHeader { sequence: target.sequence, floor };
        flash::write_checked(flash, self.sector_offset(next), &header.to_bytes())?;

        self.head = target.sector;
        self.head_sequence = target.sequence;
        self.write_at = target.write_at;
        self.floor = floor;
        if free == 1 {
            self.settle(flash, oldest.0)?;
        }
        Ok(())
    }

    /// The next free sector, how many are free, and the oldest one in use with its sequence.
    fn survey<F: ReadNorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<(u32, u32, (u32, u32)), StorageError> {
        let mut next = None;
        let mut free = 0;
        let mut oldest = (self.head, self.head_sequence);
        for step in 1..=self.sectors() {
            let sector = (self.head + step) % self.sectors();
            match self.live_sequence(flash, sector)? {
                Some(sequence) if sequence < oldest.1 => oldest = (sector, sequence),
                Some(_) => {}
                None => {
                    free += 1;
                    next = next.or(Some(sector));
                }
            }
        }
        // Open refuses a ring without a free sector, and every turn frees one.
        let next = next.ok_or(StorageError::Full)?;
        Ok((next, free, oldest))
    }

    /// Moves what fits from `oldest` to the rest of the head.
    fn fill_head_from<F: NorFlash>(
        &mut self,
        flash: &mut F,
        oldest: u32,
    ) -> Result<(), StorageError> {
        let mut head =
            Target { sector: self.head, sequence: self.head_sequence, write_at: self.write_at };
        for key in 0..INDEX_KEYS {
            if sector_of(self.index[key]) != Some(oldest) {
                continue;
            }
            let footprint = self.footprint_at(flash, key)?;
            if head.write_at + footprint > SECTOR_BYTES {
                continue;
            }
            let at = head.write_at;
            self.write_at = at + footprint;
            if self.copy(flash, key, &mut head)? {
                self.index[key] = Records::location(self.head, at);
            }
        }
        Ok(())
    }

    /// Copies a key's record as it is, sequence included. `false` when the
    /// record rotted since it was indexed: the copy is then void as well.
    fn copy<F: NorFlash>(
        &self,
        flash: &mut F,
        key: usize,
        target: &mut Target,
    ) -> Result<bool, StorageError> {
        let source = self.offset_of(self.index[key]);
        let Some(header) = RecordHeader::read(flash, source)? else { return Ok(false) };
        let start = self.sector_offset(target.sector) + target.write_at;
        target.write_at += header.footprint_bytes();

        let copied = RecordHeader { sector_sequence: target.sequence, ..header };
        flash::write_checked(flash, start, &copied.to_bytes())?;
        let mut buffer = [0; COPY_BYTES];
        let mut crc = Crc32c::new();
        let mut value_left = usize::from(header.len_bytes);
        let mut at = UNIT;
        while at < header.footprint_bytes() {
            let length = (header.footprint_bytes() - at).min(COPY_BYTES as u32);
            let bytes = &mut buffer[..length as usize];
            flash::read(flash, source + at, bytes)?;
            flash::write_checked(flash, start + at, bytes)?;
            let of_value = value_left.min(bytes.len());
            crc.update(&bytes[..of_value]);
            value_left -= of_value;
            at += length;
        }
        Ok(crc.finish() == header.value_crc)
    }

    /// Points the index at the copies in the head that replaced `oldest`'s records.
    fn settle<F: ReadNorFlash>(&mut self, flash: &mut F, oldest: u32) -> Result<(), FlashError> {
        let mut newest = [u32::MAX; INDEX_KEYS];
        for key in 0..INDEX_KEYS {
            if sector_of(self.index[key]) == Some(oldest) {
                newest[key] = 0;
                self.index[key] = NOWHERE;
            }
        }
        self.index_sector(flash, self.head, self.head_sequence, &mut newest)?;
        self.live_bytes = self.count_live_bytes(flash)?;
        Ok(())
    }

    fn footprint_at<F: ReadNorFlash>(&self, flash: &mut F, key: usize) -> Result<u32, FlashError> {
        let header = RecordHeader::read(flash, self.offset_of(self.index[key]))?;
        Ok(header.map_or(UNIT, |header| header.footprint_bytes()))
    }
}

/// Number of the sector a location lies in.
fn sector_of(location: u16) -> Option<u32> {
    (location != NOWHERE).then(|| u32::from(location) * UNIT / SECTOR_BYTES)
}
