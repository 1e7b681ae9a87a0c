//! The ESP-IDF second-stage bootloader with rollback enabled, bit for bit.
//!
//! Simulated devices restart through [`boot`], so they live with what the
//! bootloader in the field does: it rewrites entries with an erase and a write
//! that power can separate, it looks at no CRC when it asks whether both
//! entries are given up, and it skips a bad image without changing an entry.
//! Not modelled: the test partition, anti-rollback fuses, signed boot.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::flash::{self, Region};
use crate::image::{self, ImageFault};
use crate::otadata::{Entry, EntryState, OtaData, entry_region};
use crate::{FlashError, Layout, Slot};

/// What the bootloader started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booted {
    /// The factory partition.
    Factory,
    /// One of the two slots.
    Slot(Slot),
}

/// Why nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Flash failed; a simulated power cut looks like this.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// No partition holds an image that verifies.
    #[error("no partition holds a bootable image")]
    NoBootableImage,
}

/// The image check a bootloader for `chip_id` makes; `None` accepts any chip.
pub fn images_for<F: ReadNorFlash>(
    chip_id: Option<u16>,
) -> impl FnMut(&mut F, Region) -> Result<bool, FlashError> {
    move |flash, region| match image::verify(flash, region, chip_id) {
        Ok(_) => Ok(true),
        Err(ImageFault::Flash(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Restarts the device: settles the entries, chooses, and checks the image.
///
/// `image_ok` says whether a partition holds an image that may run.
pub fn boot<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    mut image_ok: impl FnMut(&mut F, Region) -> Result<bool, FlashError>,
) -> Result<Booted, BootError> {
    let choice = choose(flash, layout)?;
    for candidate in candidates(choice.first) {
        let region = match candidate {
            Booted::Slot(slot) => layout.slot(slot),
            Booted::Factory => match layout.factory {
                Some(region) => region,
                None => continue,
            },
        };
        if !image_ok(flash, region)? {
            continue;
        }
        if let Booted::Slot(slot) = candidate
            && choice.initial
        {
            let entry = Entry::new(slot.index() as u32 + 1, EntryState::Valid);
            rewrite(flash, layout, 0, &entry)?;
        }
        return Ok(candidate);
    }
    Err(BootError::NoBootableImage)
}

/// `bootloader_utility_get_selected_boot_partition`'s answer.
struct Choice {
    first: Booted,
    /// Neither entry was ever written: the slot that loads is written as confirmed.
    initial: bool,
}

fn choose<F: NorFlash>(flash: &mut F, layout: &Layout) -> Result<Choice, FlashError> {
    let mut found = OtaData::read_entries(flash, layout)?;
    for (index, entry) in found.entries.iter_mut().enumerate() {
        if entry.state == EntryState::PendingVerify {
            entry.state = EntryState::Aborted;
            rewrite(flash, layout, index, entry)?;
        }
    }
    if found.entries.iter().all(Entry::is_given_up) {
        return Ok(match layout.factory {
            Some(_) => Choice { first: Booted::Factory, initial: false },
            None => {
                let initial = found.entries.iter().all(|entry| !entry.is_intact());
                Choice { first: Booted::Slot(Slot::Ota0), initial }
            }
        });
    }
    // Without an active entry it starts at the factory partition and goes up,
    // even where there is no such partition.
    let Some(active) = found.active() else {
        return Ok(Choice { first: Booted::Factory, initial: false });
    };
    let entry = &mut found.entries[active];
    if entry.state == EntryState::New {
        entry.state = EntryState::PendingVerify;
        rewrite(flash, layout, active, entry)?;
    }
    Ok(Choice { first: Booted::Slot(entry.slot()), initial: false })
}

/// Down from the choice to the factory partition, then up from the choice.
fn candidates(first: Booted) -> [Booted; 3] {
    let (ota_0, ota_1) = (Booted::Slot(Slot::Ota0), Booted::Slot(Slot::Ota1));
    match first {
        Booted::Factory => [Booted::Factory, ota_0, ota_1],
        Booted::Slot(Slot::Ota0) => [ota_0, Booted::Factory, ota_1],
        Booted::Slot(Slot::Ota1) => [ota_1, ota_0, Booted::Factory],
    }
}

/// The bootloader's own write: erase, one write, nothing read back.
fn rewrite<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    index: usize,
    entry: &Entry,
) -> Result<(), FlashError> {
    let sector = entry_region(layout, index);
    flash.erase(sector.offset, sector.end()).map_err(flash::driver_error)?;
    flash.write(sector.offset, &entry.to_bytes()).map_err(flash::driver_error)
}
