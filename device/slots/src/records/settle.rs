//! What power may have been cut in is made certain, before anything is built on it.
//!
//! A record whose write was cut short may read as erased, as torn or whole, at every power-on
//! anew. Where it is no record by now it is voided: zeros can be written over whatever a cell
//! holds. Where it is whole it is the youngest, and written once more. From the front to the back:
//! whatever is written is certain before anything behind it is, for power may be cut in that, too.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::compact::{Purpose, Target};
use super::format::{END, RecordKind, SectorFound, SectorHeader, UNIT};
use super::{NOWHERE, Records, StorageError};
use crate::FlashError;
use crate::flash::{self, SECTOR_BYTES, UNIT_BYTES};

impl Records {
    /// Before `key` is changed: what nobody builds on any more may stay as it is.
    pub(super) fn settle<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
    ) -> Result<(), StorageError> {
        self.void_torn(flash)?;
        if self.unsettled == Some(key) { Ok(()) } else { self.settle_youngest(flash) }
    }

    /// Voids what is no record by now, in the head and in a sector that may be it at a later
    /// power-on: what is appended from here on must not be lost to that, so it is erased next.
    pub(super) fn void_torn<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if self.is_voided {
            return Ok(());
        }
        let mut is_alone = true;
        for sector in 0..self.sectors() {
            if let SectorFound::Known(header) =
                SectorHeader::read(flash, self.sector_offset(sector))?
                && header.sequence >= self.head_sequence
            {
                self.void_in(flash, sector, header.sequence)?;
                is_alone &= sector == self.head;
            }
        }
        if !is_alone {
            self.write_at = SECTOR_BYTES;
        }
        self.is_voided = true;
        Ok(())
    }

    fn void_in<F: NorFlash>(
        &mut self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
    ) -> Result<(), FlashError> {
        let start = self.sector_offset(sector);
        let is_head = sector == self.head;
        let end = self.end_of(flash, sector, sector_sequence)?;
        let (whole_end, ends_torn) = self.last_of(flash, sector, sector_sequence)?;
        if ends_torn && is_head {
            // What it claims for its value may be written or not, and so may its header be. When
            // that is voided nothing tells of it, so the sector is closed: its last unit is
            // written, which no record takes, and what is behind the last one stays as it is.
            if self.write_at <= END && self.is_proven {
                self.void(flash, start + END);
            } else if self.write_at <= END {
                self.write_at = END;
                self.prove_head(flash)?;
            }
            self.write_at = SECTOR_BYTES;
        }
        self.void_units(flash, sector, sector_sequence, whole_end, end)?;
        // The last unit of a head that is not proven is kept for what proves it: that is written
        // again as it was, should power have been cut in it.
        let limit = if is_head && !self.is_proven { END } else { SECTOR_BYTES };
        // The record before may read as erased at a later power-on, and the first of these then is
        // what power was cut in.
        for place in [end, end + UNIT] {
            if !ends_torn && place + UNIT <= limit {
                self.write_at += if is_head { UNIT } else { 0 };
                self.void(flash, start + place);
            }
        }
        Ok(())
    }

    /// Voids what is no record, up to `end`.
    fn void_units<F: NorFlash>(
        &mut self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
        whole_end: u32,
        end: u32,
    ) -> Result<(), FlashError> {
        let start = self.sector_offset(sector);
        let (mut at, mut blanks) = (UNIT, 0);
        while at < end {
            let found = self.next_record(flash, sector, sector_sequence, at)?;
            let (until, next) = match found {
                Some(found) if found.is_torn => (found.next_at(), found.next_at()),
                Some(found) => (found.at, found.next_at()),
                None => (end, end),
            };
            for unit in (at..until).step_by(UNIT_BYTES) {
                let mut bytes = [0; UNIT_BYTES];
                flash::read(flash, start + unit, &mut bytes)?;
                blanks = if bytes == [0xFF; UNIT_BYTES] { blanks + 1 } else { 0 };
                let may_come_back = match blanks {
                    // What was voided last may be what power was cut in.
                    0 => unit >= whole_end || bytes != [0; UNIT_BYTES],
                    // It may be a header; behind two such units it is a value that never came.
                    _ => blanks <= 2,
                };
                if may_come_back {
                    self.void(flash, start + unit);
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Where the last whole record of a sector ends, and whether a torn one is behind it.
    fn last_of<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
    ) -> Result<(u32, bool), FlashError> {
        let (mut at, mut last) = (UNIT, (UNIT, false));
        while let Some(found) = self.next_record(flash, sector, sector_sequence, at)? {
            at = found.next_at();
            last = if found.is_torn { (last.0, true) } else { (at, false) };
        }
        Ok(last)
    }

    /// Not read back: with a worn cell in it, it is no record either. A driver may refuse to write
    /// over what is written: what comes next outranks it then. Answers whether it did not.
    pub(super) fn void<F: NorFlash>(&mut self, flash: &mut F, offset: u32) -> bool {
        let is_void = flash.write(offset, &[0; UNIT_BYTES]).is_ok();
        self.next_sequence += u32::from(!is_void);
        is_void
    }

    /// Writes the youngest record anew. In storage too full for the copy it is left alone: one turn
    /// of the ring has moved it.
    fn settle_youngest<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), StorageError> {
        let Some(key) = self.unsettled.map(usize::from) else { return Ok(()) };
        let footprint =
            if self.location_of(key) == NOWHERE { UNIT } else { self.footprint_at(flash, key)? };
        match self.make_room(flash, footprint, Purpose::Settling) {
            // A sector that was opened has it.
            Ok(()) if self.unsettled.is_none() => {}
            Ok(()) if self.location_of(key) == NOWHERE => {
                self.append(flash, RecordKind::Removed, key as u8, &[])?;
            }
            Ok(()) => {
                let mut head = Target {
                    sector: self.head,
                    sequence: self.head_sequence,
                    write_at: self.write_at,
                };
                let sequence = self.next_sequence;
                self.write_at += footprint;
                self.next_sequence += 1;
                if let Some(location) = self.copy(flash, key, &mut head, Some(sequence))? {
                    self.set_location(key, location);
                    self.is_proven = true;
                }
            }
            Err(StorageError::Full) => {}
            Err(error) => return Err(error),
        }
        self.unsettled = None;
        Ok(())
    }
}
