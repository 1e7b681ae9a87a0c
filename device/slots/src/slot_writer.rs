//! Writing an image into the slot that is not running.

use embedded_storage::nor_flash::NorFlash;

use crate::flash::{self, Region, SECTOR_BYTES, UNIT_BYTES};
use crate::{Layout, Slot, SlotError, otadata};

/// Writes an image in order, one sector at a time, and reads every write back.
///
/// Each sector is erased just before its first byte, even when it looks
/// blank: an erase that lost power can read as blank and forget later.
#[derive(Debug)]
pub struct SlotWriter {
    region: Region,
    image_bytes: u32,
    /// Bytes in flash, a multiple of the write unit until the end is flushed.
    flushed: u32,
    /// Bytes accepted that do not fill a write unit yet.
    pending: [u8; UNIT_BYTES],
    pending_bytes: usize,
}

impl SlotWriter {
    /// Makes the other slot ready for an image of `image_bytes`.
    ///
    /// `resume_at` is 0 or what [`resume_point`](crate::resume_point) answered;
    /// the bytes before it stay. Calls [`otadata::prepare`] first where flash reads as if
    /// nobody had, so from here on the bootloader can only choose `running`. Whoever begins
    /// behind a power-on calls it before: what power was cut in may read as erased.
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
        otadata::prepare_once(flash, layout, running)?;
        Ok(SlotWriter {
            region,
            image_bytes,
            flushed: resume_at,
            pending: [0xFF; UNIT_BYTES],
            pending_bytes: 0,
        })
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
            flash::erase_sector(flash, offset)?;
        }
        flash::write_checked(flash, offset, units)?;
        self.flushed += units.len() as u32;
        Ok(())
    }
}
