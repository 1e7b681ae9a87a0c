//! Digests of what is in a slot, read from flash and never from memory.

use embedded_storage::nor_flash::ReadNorFlash;
use otaru_wire::Hasher;

use crate::flash::{self, Region};
use crate::{ChunkList, Layout, Slot, SlotError};

/// SHA-256 of the first `len_bytes` of a slot.
///
/// Errors: [`SlotError::ImageSize`] when the slot is shorter, or flash fails.
pub fn hash_slot<F: ReadNorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    len_bytes: u32,
) -> Result<[u8; 32], SlotError> {
    let mut hasher = SlotHasher::new(layout, slot, len_bytes)?;
    loop {
        if let Some(digest) = hasher.step(flash, u32::MAX)? {
            return Ok(digest);
        }
    }
}

/// [`hash_slot`] in steps, so that a caller can yield and feed its watchdog.
#[derive(Clone)]
pub struct SlotHasher {
    rest: Region,
    hasher: Hasher,
}

impl SlotHasher {
    /// Will hash the first `len_bytes` of the slot.
    ///
    /// Errors: [`SlotError::ImageSize`] when the slot is shorter.
    pub fn new(layout: &Layout, slot: Slot, len_bytes: u32) -> Result<SlotHasher, SlotError> {
        let region = layout.slot(slot);
        if len_bytes > region.size {
            return Err(SlotError::ImageSize { found: len_bytes, slot_bytes: region.size });
        }
        let rest = Region::new(region.offset, len_bytes);
        Ok(SlotHasher { rest, hasher: Hasher::new() })
    }

    /// Hashes at most `max_bytes` more; the digest once the end is reached.
    pub fn step<F: ReadNorFlash>(
        &mut self,
        flash: &mut F,
        max_bytes: u32,
    ) -> Result<Option<[u8; 32]>, SlotError> {
        let size = self.rest.size.min(max_bytes);
        let now = Region::new(self.rest.offset, size);
        flash::stream(flash, now, &mut |bytes| self.hasher.update(bytes))?;
        self.rest = Region::new(now.end(), self.rest.size - size);
        Ok((self.rest.size == 0).then(|| self.hasher.digest().0))
    }
}

/// Whether chunk `number` in flash has the digest the manifest signed for it.
///
/// Ask once all its bytes are in flash: the writer's position is at or past
/// its end, and for the last chunk the writer has finished.
pub fn chunk_is_good<F: ReadNorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    chunks: &ChunkList<'_>,
    number: u32,
) -> Result<bool, SlotError> {
    let region = fitting_region(layout, slot, chunks)?;
    let missing = SlotError::NoSuchChunk { found: number, count: chunks.count() };
    let range = chunks.range(number).ok_or(missing)?;
    let expected = chunks.digest(number).ok_or(missing)?;

    let mut hasher = Hasher::new();
    let chunk = Region::new(region.offset + range.start, range.end - range.start);
    flash::stream(flash, chunk, &mut |bytes| hasher.update(bytes))?;
    Ok(hasher.digest().0 == expected)
}

/// Where a download continues: the end of the leading good chunks, in bytes, of those that end
/// at `bound` or before.
///
/// Equals the image length when every chunk is good. Flash and the signed list say what is good;
/// the `bound` says which chunks were written and read back before power last went, and can only
/// make it less. Power that goes in a write or an erase can leave cells that read right now and
/// otherwise at another power-on: a hash that holds today says nothing of them.
pub fn resume_point<F: ReadNorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    chunks: &ChunkList<'_>,
    bound: u32,
) -> Result<u32, SlotError> {
    fitting_region(layout, slot, chunks)?;
    let mut resume_at = 0;
    for number in 0..chunks.count() {
        let Some(range) = chunks.range(number).filter(|range| range.end <= bound) else { break };
        if !chunk_is_good(flash, layout, slot, chunks, number)? {
            break;
        }
        resume_at = range.end;
    }
    Ok(resume_at)
}

/// Bytes of a slot from `at` on, whatever the driver's read unit.
///
/// Errors: [`SlotError::ImageSize`] when the slot is shorter, or flash fails.
pub fn read_slot<F: ReadNorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    at: u32,
    bytes: &mut [u8],
) -> Result<(), SlotError> {
    let region = layout.slot(slot);
    let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(at);
    if end > region.size {
        return Err(SlotError::ImageSize { found: end, slot_bytes: region.size });
    }
    Ok(flash::read(flash, region.offset + at, bytes)?)
}

fn fitting_region(
    layout: &Layout,
    slot: Slot,
    chunks: &ChunkList<'_>,
) -> Result<Region, SlotError> {
    let region = layout.slot(slot);
    if chunks.image_bytes() > region.size {
        return Err(SlotError::ImageSize { found: chunks.image_bytes(), slot_bytes: region.size });
    }
    Ok(region)
}
