//! What the sector headers of a partition say together.

use embedded_storage::nor_flash::ReadNorFlash;

use super::format::{SectorFound, SectorHeader, UNIT};
use super::{RECREATED_KEY, Records, RecreatedReason};
use crate::FlashError;
use crate::flash::{self, Region, SECTOR_BYTES};

pub(super) enum Verdict {
    Usable {
        head: u32,
        header: SectorHeader,
        /// Whether whatever is the head at the next power-on has everything.
        is_proven: bool,
    },
    /// Nothing was ever put here.
    Blank {
        worst: u32,
        highest_sequence: u32,
    },
    Lost {
        reason: RecreatedReason,
        worst: u32,
        highest_sequence: u32,
    },
}

/// What is in a sector besides its header.
struct Content {
    /// How many records were appended after its header was written.
    appended: u32,
    /// How many of them are whole.
    whole: u32,
    /// It holds a key of the user's.
    has_values: bool,
    /// It says why storage was created again.
    has_marker: bool,
}

impl Content {
    fn is_empty(&self) -> bool {
        self.appended == 0 && !self.has_values
    }
}

impl Records {
    /// The sector with the highest sequence speaks for the partition.
    pub(super) fn judge<F: ReadNorFlash>(&self, flash: &mut F) -> Result<Verdict, FlashError> {
        let mut newest = (0, 0, SectorFound::Nothing);
        for sector in 0..self.sectors() {
            let found = SectorHeader::read(flash, self.sector_offset(sector))?;
            let sequence = match found {
                SectorFound::Known(header) => header.sequence,
                SectorFound::Newer { sequence } => sequence,
                SectorFound::Nothing => continue,
            };
            if newest.2 == SectorFound::Nothing || sequence > newest.1 {
                newest = (sector, sequence, found);
            }
        }
        let (worst, highest_sequence, found) = newest;
        let lost = |reason| Verdict::Lost { reason, worst, highest_sequence };
        match found {
            SectorFound::Newer { .. } => Ok(lost(RecreatedReason::Newer)),
            SectorFound::Known(header) if header.floor <= header.sequence => {
                self.judge_head(flash, worst, header)
            }
            SectorFound::Known(_) => Ok(lost(RecreatedReason::Unreadable)),
            SectorFound::Nothing => Ok(match self.first_written(flash)? {
                None => Verdict::Blank { worst: 0, highest_sequence: 0 },
                Some(worst) => {
                    let reason = RecreatedReason::Unreadable;
                    Verdict::Lost { reason, worst, highest_sequence: 0 }
                }
            }),
        }
    }

    /// A header that nothing was appended after may be what power was cut in,
    /// and read differently at the next power-on. The sector before it still
    /// has everything then, because nothing was erased since. One record alone may
    /// be what power was cut in as well.
    fn judge_head<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        head: u32,
        header: SectorHeader,
    ) -> Result<Verdict, FlashError> {
        let content = self.content(flash, head, header)?;
        if content.appended > 0 {
            return Ok(Verdict::Usable { head, header, is_proven: content.whole > 1 });
        }
        let before = self.sector_before(flash, header)?;
        let is_empty = match before {
            Some((sector, before)) => self.content(flash, sector, before)?.is_empty(),
            None => true,
        };
        if is_empty && header.floor == header.sequence && !content.has_values {
            // Just created: creating it again loses nothing.
            let (worst, highest_sequence) = (head, header.sequence);
            if !content.has_marker {
                return Ok(Verdict::Blank { worst, highest_sequence });
            }
            let reason = self.marked_reason(flash, head, header)?;
            return Ok(Verdict::Lost { reason, worst, highest_sequence });
        }
        Ok(match before {
            Some((head, header)) => Verdict::Usable { head, header, is_proven: true },
            None => Verdict::Usable { head, header, is_proven: false },
        })
    }

    /// The sector that was the head before the one with this header.
    fn sector_before<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        header: SectorHeader,
    ) -> Result<Option<(u32, SectorHeader)>, FlashError> {
        for sector in 0..self.sectors() {
            if let SectorFound::Known(before) =
                SectorHeader::read(flash, self.sector_offset(sector))?
                && before.sequence.checked_add(1) == Some(header.sequence)
                && before.floor <= before.sequence
            {
                return Ok(Some((sector, before)));
            }
        }
        Ok(None)
    }

    fn content<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
        header: SectorHeader,
    ) -> Result<Content, FlashError> {
        let mut content = Content { appended: 0, whole: 0, has_values: false, has_marker: false };
        let mut at = UNIT;
        while let Some(found) = self.next_record(flash, sector, header.sequence, at)? {
            let record = &found.header;
            let is_appended = record.sequence >= header.next_record;
            content.appended += u32::from(is_appended);
            content.whole += u32::from(is_appended && !found.is_torn);
            content.has_values |= record.key != RECREATED_KEY;
            content.has_marker |= record.key == RECREATED_KEY;
            at = found.next_at();
        }
        Ok(content)
    }

    fn marked_reason<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
        header: SectorHeader,
    ) -> Result<RecreatedReason, FlashError> {
        let mut reason = [0];
        if let Some(found) = self.next_record(flash, sector, header.sequence, UNIT)? {
            flash::read(flash, self.sector_offset(sector) + found.at + UNIT, &mut reason)?;
        }
        Ok(RecreatedReason::from_byte(reason[0]))
    }

    /// The first sector with anything behind its header. A header alone may be
    /// all that a cut left of the first format.
    fn first_written<F: ReadNorFlash>(&self, flash: &mut F) -> Result<Option<u32>, FlashError> {
        for sector in 0..self.sectors() {
            let body = Region::new(self.sector_offset(sector) + UNIT, SECTOR_BYTES - UNIT);
            if !flash::is_blank(flash, body)? {
                return Ok(Some(sector));
            }
        }
        Ok(None)
    }
}
