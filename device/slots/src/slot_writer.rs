//! Writing an image into the slot that is not running.

use embedded_storage::nor_flash::NorFlash;

use crate::flash::{self, Region, SECTOR_BYTES, UNIT_BYTES};
use crate::{CHUNK_BYTES, Layout, Slot, SlotError, otadata};

/// Writes an image in order, one sector at a time, and reads every write back.
///
/// Each sector is erased just before its first byte, even when it looks
/// blank: an erase that lost power can read as blank and forget later. The last
/// sector of a chunk is spoilt before the chunk's first byte, and before the last
/// sector of the chunk in front of it comes: right bytes of an earlier try, or
/// of another image, behind the place where power goes must make no chunk right.
/// So the resume point is never more than one sector behind that place.
#[derive(Debug)]
pub struct SlotWriter {
    region: Region,
    image_bytes: u32,
    /// Bytes in flash, a multiple of the write unit until the end is flushed.
    flushed: u32,
    /// Bytes accepted that do not fill a write unit yet.
    pending: [u8; UNIT_BYTES],
    pending_bytes: usize,
    /// The sector that was made wrong before its turn.
    ahead: Option<Ahead>,
}

/// A sector that holds nothing of the image for certain.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    /// Where it begins, in bytes of the image.
    sector: u32,
    is_erased: bool,
}

impl SlotWriter {
    /// Makes the other slot ready for an image of `image_bytes`.
    ///
    /// `resume_at` is 0 or what [`resume_point`](crate::resume_point) answered;
    /// the bytes before it stay. Calls [`otadata::prepare`] first, so from
    /// here on the bootloader can only choose `running`.
    ///
    /// Errors: [`SlotError::SlotRunning`] when `target` runs, an unconfirmed
    /// `running`, an image that does not fit, a resume point that is not a
    /// sector boundary. Nothing is erased then.
    pub fn begin<F: NorFlash>(
        flash: &mut F,
        layout: &Layout,
        running: Slot,
        target: Slot,
        image_bytes: u32,
        resume_at: u32,
    ) -> Result<SlotWriter, SlotError> {
        if target == running {
            return Err(SlotError::SlotRunning { slot: target });
        }
        let region = layout.slot(target);
        if image_bytes == 0 || image_bytes > region.size {
            return Err(SlotError::ImageSize { found: image_bytes, slot_bytes: region.size });
        }
        let at_boundary = resume_at.is_multiple_of(SECTOR_BYTES) && resume_at < image_bytes;
        if !at_boundary && resume_at != image_bytes {
            return Err(SlotError::ResumePoint { found: resume_at, image_bytes });
        }
        flash::check_geometry::<F>()?;
        otadata::prepare(flash, layout, running)?;
        Ok(SlotWriter {
            region,
            image_bytes,
            flushed: resume_at,
            pending: [0xFF; UNIT_BYTES],
            pending_bytes: 0,
            ahead: None,
        })
    }

    /// [`begin`](SlotWriter::begin) after power may have gone: first writes the sector that ends
    /// at `resume_at` anew, and spoils the last sector of the chunk that begins there.
    ///
    /// Power that goes in a write can leave cells that read right now and otherwise at another
    /// power-on. The last sector before the resume point is where it went, if it went; a hash
    /// that holds today says nothing about it. `buffer` is what the sector stays in meanwhile.
    pub fn resume<F: NorFlash>(
        flash: &mut F,
        layout: &Layout,
        running: Slot,
        target: Slot,
        image_bytes: u32,
        resume_at: u32,
        buffer: &mut [u8; SECTOR_BYTES as usize],
    ) -> Result<SlotWriter, SlotError> {
        let mut writer = SlotWriter::begin(flash, layout, running, target, image_bytes, resume_at)?;
        if let Some(last) = resume_at.checked_sub(1) {
            if resume_at < image_bytes {
                writer.spoil(flash, resume_at / CHUNK_BYTES * CHUNK_BYTES)?;
            }
            let offset = writer.region.offset + last / SECTOR_BYTES * SECTOR_BYTES;
            flash::read(flash, offset, buffer)?;
            flash::erase_sector(flash, offset)?;
            flash::write_checked(flash, offset, buffer)?;
        }
        Ok(writer)
    }

    /// Makes whatever is in the other slot no image of this length, however right it looks: power
    /// may have gone in it anywhere, where it was written as part of another one.
    ///
    /// Errors: those of [`begin`](SlotWriter::begin).
    pub fn forget<F: NorFlash>(
        flash: &mut F,
        layout: &Layout,
        running: Slot,
        image_bytes: u32,
    ) -> Result<(), SlotError> {
        let target = running.other();
        SlotWriter::begin(flash, layout, running, target, image_bytes, 0)?.spoil(flash, 0)
    }

    /// Bytes of the image accepted so far, the resumed ones included.
    pub fn position(&self) -> u32 {
        self.flushed + self.pending_bytes as u32
    }

    /// Takes bytes up to the end of the current sector and says how many.
    ///
    /// Blocks for at most one erase. Bytes that do not fill a write unit wait
    /// in memory for the next call or for [`finish`](SlotWriter::finish).
    ///
    /// Errors: [`SlotError::PastEnd`] before anything is written; after a
    /// flash error the writer is void: find the resume point and begin again.
    pub fn write<F: NorFlash>(&mut self, flash: &mut F, bytes: &[u8]) -> Result<usize, SlotError> {
        let left = self.image_bytes - self.position();
        if bytes.len() > left as usize {
            let more = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let found = self.position().saturating_add(more);
            return Err(SlotError::PastEnd { found, image_bytes: self.image_bytes });
        }
        let sector_left = SECTOR_BYTES - self.position() % SECTOR_BYTES;
        let taken = bytes.len().min(sector_left as usize);
        let mut rest = &bytes[..taken];

        if self.pending_bytes > 0 {
            let fill = rest.len().min(F::WRITE_SIZE - self.pending_bytes);
            self.hold(&rest[..fill]);
            rest = &rest[fill..];
            if self.pending_bytes == F::WRITE_SIZE {
                let unit = self.pending;
                self.pending_bytes = 0;
                self.flush(flash, &unit[..F::WRITE_SIZE])?;
            }
        }
        let whole = rest.len() - rest.len() % F::WRITE_SIZE;
        if whole > 0 {
            self.flush(flash, &rest[..whole])?;
        }
        self.hold(&rest[whole..]);
        Ok(taken)
    }

    /// [`write`](SlotWriter::write) until everything is taken: one erase per sector begun.
    pub fn write_all<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut bytes: &[u8],
    ) -> Result<(), SlotError> {
        while !bytes.is_empty() {
            let taken = self.write(flash, bytes)?;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Writes the last bytes, padded with erased bytes to a whole write unit.
    ///
    /// Errors: [`SlotError::Incomplete`] when bytes are missing.
    pub fn finish<F: NorFlash>(mut self, flash: &mut F) -> Result<(), SlotError> {
        if self.position() < self.image_bytes {
            let written = self.position();
            return Err(SlotError::Incomplete { written, image_bytes: self.image_bytes });
        }
        if self.pending_bytes > 0 {
            self.pending.iter_mut().skip(self.pending_bytes).for_each(|free| *free = 0xFF);
            let unit = self.pending;
            self.flush(flash, &unit[..F::WRITE_SIZE])?;
        }
        Ok(())
    }

    /// Makes the last sector of the chunk wrong that begins there, if one does and that is not done.
    ///
    /// Where it is erased only, it may be right all the same: an image may hold what erased flash
    /// reads as. So a byte that is not zero is cleared, which needs no erase. A driver that writes
    /// nothing twice refuses; then, where all are zero, or where they cannot be read, the erase has
    /// to do.
    fn spoil<F: NorFlash>(&mut self, flash: &mut F, chunk: u32) -> Result<(), SlotError> {
        let end = self.image_bytes.min(chunk.saturating_add(CHUNK_BYTES));
        let Some(sector) = self.last_sector_of(chunk) else { return Ok(()) };
        if self.ahead.is_some_and(|ahead| ahead.sector == sector) {
            return Ok(());
        }
        let offset = self.region.offset + sector;
        let is_erased = !flash::clear_a_byte(flash, Region::new(offset, end - sector));
        if is_erased {
            flash::erase_sector(flash, offset)?;
        }
        self.ahead = Some(Ahead { sector, is_erased });
        Ok(())
    }

    /// Where the last sector of the chunk begins that begins there, if the image is as long.
    fn last_sector_of(&self, chunk: u32) -> Option<u32> {
        let end = self.image_bytes.min(chunk.saturating_add(CHUNK_BYTES));
        (chunk < end).then(|| (end - 1) / SECTOR_BYTES * SECTOR_BYTES)
    }

    /// Makes the sector that begins ready to be written.
    fn erase<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), SlotError> {
        let sector = self.flushed;
        let chunk = sector / CHUNK_BYTES * CHUNK_BYTES;
        let is_last = self.last_sector_of(chunk) == Some(sector);
        let ahead = self.ahead.filter(|ahead| ahead.sector == sector);
        self.spoil(flash, if is_last { chunk.saturating_add(CHUNK_BYTES) } else { chunk })?;
        match ahead {
            Some(Ahead { is_erased: true, .. }) => Ok(()),
            _ => Ok(flash::erase_sector(flash, self.region.offset + sector)?),
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let free = self.pending.iter_mut().skip(self.pending_bytes);
        for (to, &from) in free.zip(bytes) {
            *to = from;
        }
        self.pending_bytes += bytes.len();
    }

    /// Writes whole units that lie in one sector.
    fn flush<F: NorFlash>(&mut self, flash: &mut F, units: &[u8]) -> Result<(), SlotError> {
        let offset = self.region.offset + self.flushed;
        if self.flushed.is_multiple_of(SECTOR_BYTES) {
            self.erase(flash)?;
        }
        flash::write_checked(flash, offset, units)?;
        self.flushed += units.len() as u32;
        Ok(())
    }
}
