//! What a slot holds: an ESP-IDF image says so itself; bytes of another kind are known by the
//! digest that was kept beside them.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::Target;
use otaru_release::Chip;
use otaru_slots::{Booted, Layout, SECTOR_BYTES, Slot, StorageError, boot, hash_slot, image};
use otaru_wire::Digest;

use crate::{HostError, Storage};

#[cfg(test)]
mod tests;

/// An image in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotImage {
    /// Its identity.
    pub sha256: Digest,
    /// Its length.
    pub size_bytes: u32,
    /// What its manifest said, if that was kept.
    pub(crate) target: Option<Target>,
    /// Whether it came from the factory.
    pub(crate) is_factory: bool,
}

/// Lets the boot selector choose: what a chip's own bootloader does, where there is none.
///
/// `chip` is what images must be for; `None` is any whose images can be read.
pub fn start_slot<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    chip: Option<Chip>,
) -> Result<Slot, HostError> {
    let booted = match reads_images(chip) {
        true => boot(flash, layout, boot::images_for(chip.map(Chip::id))),
        false => {
            let storage = Storage::open(flash, layout)?;
            boot(flash, layout, |flash, region| {
                let slot = [Slot::Ota0, Slot::Ota1].into_iter();
                let mut slot = slot.filter(|&slot| layout.slot(slot) == region);
                // An error of the records stops nothing that flash itself lets start.
                Ok(slot.next().is_some_and(|slot| {
                    find(flash, layout, &storage, slot, chip).is_ok_and(|found| found.is_some())
                }))
            })
        }
    };
    match booted {
        Ok(Booted::Slot(slot)) => Ok(slot),
        Ok(Booted::Factory) | Err(otaru_slots::BootError::NoBootableImage) => {
            Err(HostError::NoBootableImage)
        }
        Err(otaru_slots::BootError::Flash(error)) => Err(error.into()),
    }
}

/// Whether images of this chip can be read.
pub(crate) fn reads_images(chip: Option<Chip>) -> bool {
    chip.is_none_or(|chip| chip.runs_esp_images())
}

/// Identity first: the hash of the slot. Only a stored target with that very hash lends its label.
pub(crate) fn find<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    slot: Slot,
    chip: Option<Chip>,
) -> Result<Option<SlotImage>, StorageError> {
    let length = match reads_images(chip) {
        true => match image::verify(flash, layout.slot(slot), None) {
            Ok(length) => Some(length),
            Err(_) => return Ok(None),
        },
        false => None,
    };
    let target = storage.target(flash, slot)?;
    if let Some(found) = &target
        && let Ok(size_bytes) = u32::try_from(found.size_bytes)
        && holds(flash, layout, slot, size_bytes, &found.sha256)
    {
        let sha256 = found.sha256;
        return Ok(Some(SlotImage { sha256, size_bytes, target, is_factory: false }));
    }
    let factory = storage.factory(flash)?;
    if let Some((size_bytes, sha256)) = factory
        && holds(flash, layout, slot, size_bytes, &sha256)
    {
        return Ok(Some(SlotImage { sha256, size_bytes, target: None, is_factory: true }));
    }
    let is_known = target.is_some() || factory.is_some();
    let size_bytes = match length {
        Some(length) => length,
        // Begun and not whole, or no more what it was.
        None if is_known => return Ok(None),
        // The records were lost, and with them what the bytes were: they run as they are.
        None => match written_bytes(flash, layout, slot) {
            0 => return Ok(None),
            written => written,
        },
    };
    let Ok(sha256) = hash_slot(flash, layout, slot, size_bytes) else { return Ok(None) };
    let sha256 = Digest(sha256);
    Ok(Some(SlotImage { sha256, size_bytes, target: None, is_factory: false }))
}

fn holds<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    size_bytes: u32,
    sha256: &Digest,
) -> bool {
    hash_slot(flash, layout, slot, size_bytes).is_ok_and(|found| found == *sha256.as_bytes())
}

/// Bytes of a slot up to the last that is not erased; 0 where flash fails.
fn written_bytes<F: NorFlash>(flash: &mut F, layout: &Layout, slot: Slot) -> u32 {
    let region = layout.slot(slot);
    let mut sector = [0; SECTOR_BYTES as usize];
    for start in (0..region.size).step_by(SECTOR_BYTES as usize).rev() {
        if flash.read(region.offset + start, &mut sector).is_err() {
            return 0;
        }
        if let Some(last) = sector.iter().rposition(|&byte| byte != 0xFF) {
            return start + last as u32 + 1;
        }
    }
    0
}
