//! Making room: opening the next sector of the ring.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::format::{END, RecordHeader, RecordKind, SectorHeader, UNIT};
use super::open::value_found;
use super::write::write_record;
use super::{INDEX_KEYS, NOWHERE, Records, StorageError};
use crate::FlashError;
use crate::crc::{ValueCheck, ValueChecker, ValueFound};
use crate::flash::{self, SECTOR_BYTES};

/// Copies go through a buffer of this many bytes.
const COPY_BYTES: usize = 256;
/// Sectors kept free in normal use. One must be free for the next compaction;
/// the other is for replacing a value when storage is full.
const FREE_SECTORS: u32 = 2;

/// What the room is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// More current bytes than before.
    Growth,
    /// No more current bytes than before: works in full storage too.
    Replacement,
    /// The youngest record once more, where no sector that is opened takes it along.
    Settling,
}

/// A sector that is being filled with copies.
pub(super) struct Target {
    pub(super) sector: u32,
    pub(super) sequence: u32,
    pub(super) write_at: u32,
}

impl Target {
    fn has_room(&self, footprint: u32) -> bool {
        self.write_at + footprint <= END
    }
}

impl Records {
    /// Opens sectors until the head has `footprint` bytes left.
    ///
    /// Errors: [`StorageError::Full`] after one turn of the ring.
    pub(super) fn make_room<F: NorFlash>(
        &mut self,
        flash: &mut F,
        footprint: u32,
        purpose: Purpose,
    ) -> Result<(), StorageError> {
        let is_settled = |records: &Records| records.unsettled.is_none();
        let has_room = |records: &Records| {
            purpose == Purpose::Settling && is_settled(records)
                || records.write_at + footprint <= END
        };
        for _ in 0..=self.sectors() {
            if has_room(self) {
                return Ok(());
            }
            self.open_next_sector(flash, FREE_SECTORS)?;
        }
        if purpose != Purpose::Growth {
            self.open_next_sector(flash, FREE_SECTORS - 1)?;
        }
        if has_room(self) { Ok(()) } else { Err(StorageError::Full) }
    }

    /// Makes the next free sector the head, and moves current records out of
    /// the oldest sectors until `keep_free` sectors are free.
    ///
    /// The new sector counts once its header is written, which is last: a cut
    /// before leaves only copies behind, which are free again.
    fn open_next_sector<F: NorFlash>(
        &mut self,
        flash: &mut F,
        keep_free: u32,
    ) -> Result<(), StorageError> {
        self.prove_head(flash)?;
        let (next, free) = self.survey(flash)?;
        let mut free = free - 1;
        let mut floor = self.floor;
        let mut target = Target { sector: next, sequence: self.head_sequence + 1, write_at: UNIT };

        let oldest = if free < keep_free { self.oldest_from(flash, floor)? } else { None };
        if let Some((sector, _)) = oldest.filter(|&(sector, _)| sector != self.head) {
            self.fill_head_from(flash, sector)?;
        }
        flash::erase_sector(flash, self.sector_offset(next))?;
        let mut index = self.index;
        let needed = oldest.filter(|_| free == 0).map(|(sector, _)| sector);
        let is_carried = self.carry_youngest(flash, &mut target, &mut index, needed)?;
        let mut emptied = oldest;
        while let Some((sector, sequence)) = emptied {
            // What one sector held fits an empty one; more may not.
            let footprint = self.footprint_of_sector(flash, &index, sector)?;
            if free > 0 && footprint + target.write_at > END {
                break;
            }
            for (key, location) in index.iter_mut().enumerate() {
                if sector_of(*location) == Some(sector) {
                    // What cannot be copied is lost.
                    *location = self.copy(flash, key, &mut target, None)?.unwrap_or(NOWHERE);
                }
            }
            floor = sequence + 1;
            free += 1;
            let wants_more = free < keep_free && sector != self.head;
            emptied = if wants_more { self.oldest_from(flash, floor)? } else { None };
        }
        let header =
            SectorHeader { sequence: target.sequence, floor, next_record: self.next_sequence };
        flash::write_checked(flash, self.sector_offset(next), &header.to_bytes())?;

        self.index = index;
        self.is_proven = false;
        self.head = target.sector;
        self.head_sequence = target.sequence;
        self.write_at = target.write_at;
        self.floor = floor;
        self.live_bytes = self.count_live_bytes(flash)?;
        if is_carried {
            self.prove_head(flash)?;
            self.unsettled = self.unsettled.filter(|_| !self.is_proven);
        }
        Ok(())
    }

    /// Writes what power may have been cut in to the sector that is opened, where what stays of the
    /// sector `needed` has room beside it: what is freed may be all that there was before it.
    fn carry_youngest<F: NorFlash>(
        &mut self,
        flash: &mut F,
        target: &mut Target,
        index: &mut [u16; INDEX_KEYS],
        needed: Option<u32>,
    ) -> Result<bool, StorageError> {
        let Some(key) = self.unsettled.map(usize::from) else { return Ok(false) };
        let mut others = *index;
        others[key] = NOWHERE;
        let beside = match needed {
            Some(sector) => self.footprint_of_sector(flash, &others, sector)?,
            None => 0,
        };
        let is_gone = index[key] == NOWHERE;
        let footprint = if is_gone { UNIT } else { self.footprint_at(flash, key)? };
        if !target.has_room(footprint + beside) {
            return Ok(false);
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        if is_gone {
            let at = self.sector_offset(target.sector) + target.write_at;
            let header = RecordHeader {
                kind: RecordKind::Removed,
                sequence,
                sector_sequence: target.sequence,
                key: key as u8,
                len_bytes: 0,
                check: ValueCheck::of(&[]),
            };
            target.write_at += UNIT;
            write_record(flash, at, header, &[])?;
            return Ok(true);
        }
        let location = self.copy(flash, key, target, Some(sequence))?;
        index[key] = location.unwrap_or(NOWHERE);
        Ok(location.is_some())
    }

    /// Makes the head's header count at the next power-on, before anything that it made free is
    /// erased: [`judge`](super::judge) passes over a header that nothing was appended behind.
    pub(super) fn prove_head<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if self.is_proven || self.write_at + UNIT > SECTOR_BYTES {
            return Ok(());
        }
        let header = RecordHeader {
            kind: RecordKind::Nothing,
            sequence: self.next_sequence,
            sector_sequence: self.head_sequence,
            key: 0,
            len_bytes: 0,
            check: ValueCheck::of(&[]),
        };
        // The place is used up, whatever happens.
        let at = self.write_at;
        self.write_at += UNIT;
        self.next_sequence += 1;
        match write_record(flash, self.sector_offset(self.head) + at, header, &[]) {
            Ok(()) => self.is_proven = true,
            // One worn cell is no reason to stop.
            Err(FlashError::ReadBack { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next free sector in ring order, and how many are free.
    fn survey<F: ReadNorFlash>(&self, flash: &mut F) -> Result<(u32, u32), StorageError> {
        let mut next = None;
        let mut free = 0;
        for step in 1..=self.sectors() {
            let sector = (self.head + step) % self.sectors();
            if self.live_sequence(flash, sector)?.is_none() {
                free += 1;
                next = next.or(Some(sector));
            }
        }
        // Open refuses a ring without a free sector, and every turn keeps one.
        let next = next.ok_or(StorageError::Full)?;
        Ok((next, free))
    }

    /// The sector in use with the lowest sequence from `floor` on, and that sequence.
    fn oldest_from<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        floor: u32,
    ) -> Result<Option<(u32, u32)>, FlashError> {
        let mut oldest: Option<(u32, u32)> = None;
        for sector in 0..self.sectors() {
            let Some(sequence) = self.live_sequence(flash, sector)? else { continue };
            if sequence >= floor && oldest.is_none_or(|(_, lowest)| sequence < lowest) {
                oldest = Some((sector, sequence));
            }
        }
        Ok(oldest)
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
            if sector_of(self.location_of(key)) != Some(oldest) {
                continue;
            }
            let footprint = self.footprint_at(flash, key)?;
            if !head.has_room(footprint) {
                continue;
            }
            self.write_at = head.write_at + footprint;
            if let Some(location) = self.copy(flash, key, &mut head, None)? {
                self.set_location(key, location);
            }
        }
        Ok(())
    }

    /// Copies a key's record as it is, unless it gets a new sequence; a bit that turned over
    /// is turned back. Answers where it is now; `None` when it rotted since it was indexed: the
    /// copy is then void as well.
    pub(super) fn copy<F: NorFlash>(
        &self,
        flash: &mut F,
        key: usize,
        target: &mut Target,
        sequence: Option<u32>,
    ) -> Result<Option<u16>, StorageError> {
        let source = self.offset_of(self.location_of(key));
        let Some(header) = RecordHeader::read(flash, source)? else { return Ok(None) };
        // What filled a sector to its last unit, as of old, fills another one.
        if target.write_at + header.footprint_bytes() > SECTOR_BYTES {
            return Ok(None);
        }
        let location = Records::location(target.sector, target.write_at);
        let start = self.offset_of(location);
        target.write_at += header.footprint_bytes();

        let copied = RecordHeader {
            sector_sequence: target.sequence,
            sequence: sequence.unwrap_or(header.sequence),
            ..header
        };
        flash::write_checked(flash, start, &copied.to_bytes())?;
        let mut buffer = [0; COPY_BYTES];
        let flipped = value_found(flash, source, &header)?;
        let mut checker = ValueChecker::new();
        let mut value_left = usize::from(header.len_bytes);
        let mut at = UNIT;
        while at < header.footprint_bytes() {
            let length = (header.footprint_bytes() - at).min(COPY_BYTES as u32);
            let bytes = &mut buffer[..length as usize];
            flash::read(flash, source + at, bytes)?;
            if let ValueFound::Flipped(bit) = flipped
                && let Some(at_bit) = bit.checked_sub((at - UNIT) as usize * 8)
                && let Some(byte) = bytes.get_mut(at_bit / 8)
            {
                *byte ^= 1 << (at_bit % 8);
            }
            flash::write_checked(flash, start + at, bytes)?;
            let of_value = value_left.min(bytes.len());
            checker.update(&bytes[..of_value]);
            value_left -= of_value;
            at += length;
        }
        Ok((checker.finish().crc == header.check.crc).then_some(location))
    }

    fn footprint_of_sector<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        index: &[u16; INDEX_KEYS],
        sector: u32,
    ) -> Result<u32, FlashError> {
        let mut footprint = 0;
        for (key, &location) in index.iter().enumerate() {
            if sector_of(location) == Some(sector) {
                footprint += self.footprint_at(flash, key)?;
            }
        }
        Ok(footprint)
    }

    pub(super) fn footprint_at<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: usize,
    ) -> Result<u32, FlashError> {
        let header = RecordHeader::read(flash, self.offset_of(self.location_of(key)))?;
        Ok(header.map_or(UNIT, |header| header.footprint_bytes()))
    }
}

/// Number of the sector a location lies in.
fn sector_of(location: u16) -> Option<u32> {
    (location != NOWHERE).then(|| u32::from(location) * UNIT / SECTOR_BYTES)
}
