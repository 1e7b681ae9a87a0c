//! Finding the current records in whatever the partition holds.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::format::{RecordHeader, RecordKind, SectorFound, SectorHeader, UNIT};
use super::judge::Verdict;
use super::{
    INDEX_KEYS, MAX_SECTORS, MIN_SECTORS, NOWHERE, Opened, RECREATED_KEY, Records, RecreatedReason,
    StorageError,
};
use crate::FlashError;
use crate::crc::{ValueChecker, ValueFound};
use crate::flash::{self, Region, SECTOR_BYTES};

/// Sequences from here on mean damage: no flash lives through two billion
/// records, and as many are left before the counter would wrap.
const SEQUENCE_LIMIT: u32 = 1 << 31;

/// A record, and where it is in its sector.
pub(super) struct Found {
    pub(super) at: u32,
    pub(super) header: RecordHeader,
    /// Its value is not there, or not whole.
    pub(super) is_torn: bool,
}

/// What indexing met.
struct Seen {
    /// Sequence of the newest record by key; 0 for none.
    newest: [u32; INDEX_KEYS],
    /// Sequence of the newest of all, of those of no key as well.
    highest: u32,
}

impl Seen {
    /// Key of the youngest record that changes anything.
    fn youngest(&self) -> Option<u8> {
        let keys = (0..=RECREATED_KEY).filter(|&key| self.newest[usize::from(key)] > 0);
        keys.max_by_key(|&key| self.newest[usize::from(key)])
    }
}

impl Found {
    /// Where to look for the next one. A header that was torn and reads whole at a later power-on
    /// claims what was written directly behind it since: that is not passed over.
    pub(super) fn next_at(&self) -> u32 {
        if self.is_torn { self.at + UNIT } else { self.end() }
    }

    pub(super) fn end(&self) -> u32 {
        self.at + self.header.footprint_bytes()
    }
}

impl Records {
    /// Opens the partition, or creates it again when it cannot be used.
    ///
    /// Torn records and sectors are skipped, so a power cut before this call
    /// leaves every key with its old or its new value.
    ///
    /// Errors: only flash failures and a region that is not a ring of sectors;
    /// no content of the partition is an error.
    #[inline(never)]
    pub fn open<F: NorFlash>(
        flash: &mut F,
        region: Region,
    ) -> Result<(Records, Opened), StorageError> {
        flash::check_geometry::<F>()?;
        let sectors = (region.size / SECTOR_BYTES).min(MAX_SECTORS);
        if sectors < MIN_SECTORS || !region.offset.is_multiple_of(SECTOR_BYTES) {
            return Err(StorageError::RegionShape { found: region.size });
        }
        let mut records = Records {
            region: Region::new(region.offset, sectors * SECTOR_BYTES),
            index: [NOWHERE; INDEX_KEYS],
            head: 0,
            head_sequence: 0,
            floor: 0,
            write_at: UNIT,
            next_sequence: 1,
            live_bytes: 0,
            is_voided: false,
            unsettled: None,
            is_proven: false,
        };
        let lost = match records.judge(flash)? {
            Verdict::Usable { head, header, is_proven } => {
                let is_usable = records.load(flash, head, header)?;
                records.is_proven = is_proven;
                let reason = Some(RecreatedReason::Unreadable);
                // What is created is not the next of what cannot be used.
                (!is_usable).then_some((reason, head, header.sequence.saturating_add(1)))
            }
            Verdict::Blank { worst, highest_sequence } => Some((None, worst, highest_sequence)),
            Verdict::Lost { reason, worst, highest_sequence } => {
                Some((Some(reason), worst, highest_sequence))
            }
        };
        if let Some((reason, worst, highest_sequence)) = lost {
            records.create(flash, reason, worst, highest_sequence)?;
            if reason.is_none() {
                return Ok((records, Opened::Fresh));
            }
        }
        let opened = records.recreated(flash)?.map_or(Opened::Clean, Opened::Recreated);
        Ok((records, opened))
    }

    /// Forgets that the partition was created again; the next open is clean.
    pub fn acknowledge_recreated<F: NorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), StorageError> {
        self.remove_any(flash, RECREATED_KEY)
    }

    fn recreated<F: ReadNorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<Option<RecreatedReason>, StorageError> {
        let mut reason = [0];
        let found = self.get_any(flash, RECREATED_KEY, &mut reason)?;
        Ok(found.and_then(|found| found.first().copied().map(RecreatedReason::from_byte)))
    }

    /// Indexes every sector that counts. `false` when they cannot belong to one store.
    fn load<F: ReadNorFlash>(
        &mut self,
        flash: &mut F,
        head: u32,
        header: SectorHeader,
    ) -> Result<bool, FlashError> {
        self.head = head;
        self.head_sequence = header.sequence;
        self.floor = header.floor;
        self.write_at = self.end_of(flash, head, header.sequence)?;
        let mut seen = Seen { newest: [0; INDEX_KEYS], highest: 0 };
        let mut in_use = 0;
        for sector in 0..self.sectors() {
            if let Some(sequence) = self.live_sequence(flash, sector)? {
                in_use += 1;
                self.index_sector(flash, sector, sequence, &mut seen)?;
            }
        }
        self.unsettled = seen.youngest();
        // Behind those, too, whose sectors are free by now, or it would not prove the head.
        self.next_sequence = seen.highest.saturating_add(1).max(header.next_record);
        self.live_bytes = self.count_live_bytes(flash)?;
        let limited = header.sequence < SEQUENCE_LIMIT && self.next_sequence < SEQUENCE_LIMIT;
        Ok(limited && in_use < self.sectors())
    }

    /// Sequence of a sector that holds records; `None` for a free one.
    pub(super) fn live_sequence<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
    ) -> Result<Option<u32>, FlashError> {
        Ok(match SectorHeader::read(flash, self.sector_offset(sector))? {
            SectorFound::Known(header) => {
                let live = self.floor..=self.head_sequence;
                live.contains(&header.sequence).then_some(header.sequence)
            }
            _ => None,
        })
    }

    /// Enters a sector's records where they are newer than what was seen.
    fn index_sector<F: ReadNorFlash>(
        &mut self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
        seen: &mut Seen,
    ) -> Result<(), FlashError> {
        let mut at = UNIT;
        while let Some(found) = self.next_record(flash, sector, sector_sequence, at)? {
            at = found.next_at();
            let header = found.header;
            let key = usize::from(header.key);
            if found.is_torn || key >= INDEX_KEYS {
                continue;
            }
            seen.highest = seen.highest.max(header.sequence);
            if header.kind == RecordKind::Nothing {
                continue;
            }
            let newest = seen.newest[key];
            if header.sequence > newest
                || header.sequence == newest && self.is_older_copy(flash, &header)?
            {
                seen.newest[key] = header.sequence;
                let is_value = header.kind == RecordKind::Value;
                let location = Records::location(sector, found.at);
                self.set_location(key, if is_value { location } else { NOWHERE });
            }
        }
        Ok(())
    }

    /// Whether this is the record the indexed one was copied from. The copy may
    /// be what power was cut in, so the original counts as long as it is there.
    fn is_older_copy<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        header: &RecordHeader,
    ) -> Result<bool, FlashError> {
        let location = self.location_of(header.key.into());
        if location == NOWHERE {
            return Ok(false);
        }
        let indexed = RecordHeader::read(flash, self.offset_of(location))?;
        Ok(indexed.is_none_or(|indexed| header.sector_sequence < indexed.sector_sequence))
    }

    /// The first record of a sector from `at` on. A torn header was the last thing written
    /// before a cut, so the next record may follow it directly.
    pub(super) fn next_record<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
        mut at: u32,
    ) -> Result<Option<Found>, FlashError> {
        let start = self.sector_offset(sector);
        while at + UNIT <= SECTOR_BYTES {
            let header = RecordHeader::read(flash, start + at)?.filter(|header| {
                header.sector_sequence == sector_sequence
                    && at + header.footprint_bytes() <= SECTOR_BYTES
            });
            if let Some(header) = header {
                let is_torn = value_found(flash, start + at, &header)? == ValueFound::Torn;
                return Ok(Some(Found { at, header, is_torn }));
            }
            at += UNIT;
        }
        Ok(None)
    }

    /// Where a sector's records end: behind all that was written, and all that one claims.
    pub(super) fn end_of<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
        sector_sequence: u32,
    ) -> Result<u32, FlashError> {
        let (mut at, mut end) = (UNIT, self.end_of_written(flash, sector)?);
        while let Some(found) = self.next_record(flash, sector, sector_sequence, at)? {
            (at, end) = (found.next_at(), end.max(found.end()));
        }
        Ok(end)
    }

    /// Where the written part of a sector ends, in whole units: behind every byte a torn write
    /// touched.
    fn end_of_written<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
    ) -> Result<u32, FlashError> {
        let (mut at, mut end) = (0, 0);
        let sector = Region::new(self.sector_offset(sector), SECTOR_BYTES);
        flash::stream(flash, sector, &mut |bytes| {
            if let Some(last) = bytes.iter().rposition(|&byte| byte != 0xFF) {
                end = (at + last as u32 + 1).next_multiple_of(UNIT);
            }
            at += bytes.len() as u32;
        })?;
        Ok(end)
    }

    pub(super) fn count_live_bytes<F: ReadNorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<u32, FlashError> {
        let mut live_bytes = 0;
        for &location in self.index.iter().filter(|&&location| location != NOWHERE) {
            let header = RecordHeader::read(flash, self.offset_of(location))?;
            live_bytes += header.map_or(0, |header| header.footprint_bytes());
        }
        Ok(live_bytes)
    }

    /// Starts an empty store beside what is there.
    ///
    /// Its first sector outranks everything, so one header makes the rest
    /// free; until it is written, the next open comes to the same verdict.
    fn create<F: NorFlash>(
        &mut self,
        flash: &mut F,
        reason: Option<RecreatedReason>,
        worst: u32,
        highest_sequence: u32,
    ) -> Result<(), StorageError> {
        let mut sequence = highest_sequence.saturating_add(1);
        let mut sector = self.sector_behind(worst);
        if sequence >= SEQUENCE_LIMIT {
            let end = self.region.end();
            flash.erase(self.region.offset, end).map_err(flash::driver_error)?;
            (sequence, sector) = (1, 0);
        }
        self.index = [NOWHERE; INDEX_KEYS];
        self.head = sector;
        self.head_sequence = sequence;
        self.floor = sequence;
        self.write_at = UNIT;
        self.next_sequence = 1;
        self.live_bytes = 0;
        self.is_voided = true;
        self.unsettled = None;
        flash::erase_sector(flash, self.sector_offset(sector))?;
        if let Some(reason) = reason {
            let location = self.append(flash, RecordKind::Value, RECREATED_KEY, &[reason as u8])?;
            self.set_location(RECREATED_KEY.into(), location);
            self.live_bytes = RecordHeader::footprint(1);
        }
        self.is_proven = false;
        let header = SectorHeader { sequence, floor: sequence, next_record: self.next_sequence };
        flash::write_checked(flash, self.sector_offset(sector), &header.to_bytes())?;
        Ok(())
    }
}

/// What became of the value of the record at `offset`.
pub(super) fn value_found<F: ReadNorFlash>(
    flash: &mut F,
    offset: u32,
    header: &RecordHeader,
) -> Result<ValueFound, FlashError> {
    let mut checker = ValueChecker::new();
    let value = Region::new(offset + UNIT, u32::from(header.len_bytes));
    flash::stream(flash, value, &mut |bytes| checker.update(bytes))?;
    Ok(header.check.compare(checker.finish(), usize::from(header.len_bytes)))
}
