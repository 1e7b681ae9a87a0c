//! How a bootloader of ours chooses: three tries, no erase, and nothing a torn write can mean.
//!
//! It reads the entries that ESP-IDF's bootloader reads, so that firmware runs under either,
//! and the marks behind them (`docs/flash-layout.md`). A trial takes one mark, written before the image
//! starts; one that is not confirmed after three is passed over. It writes nothing else.

use embedded_storage::nor_flash::NorFlash;

use crate::flash::Region;
use crate::marks::{self, Mark};
use crate::otadata::{EntryState, OtaData, entry_region};
use crate::{BootError, Booted, FlashError, Layout, Slot};

/// How often unconfirmed firmware is started.
pub const TRIES: u8 = 3;

/// Restarts the device: chooses, marks a try, and names what to start.
///
/// `image_ok` says whether a partition holds an image that may run.
pub fn start<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    mut image_ok: impl FnMut(&mut F, Region) -> Result<bool, FlashError>,
) -> Result<Booted, BootError> {
    let found = OtaData::read_repaired(flash, layout)?;
    let first = found.active().unwrap_or(0);
    for index in [first, 1 - first] {
        let entry = found.entries[index];
        if !entry.is_bootable() || !image_ok(flash, layout.slot(entry.slot()))? {
            continue;
        }
        let is_settled = matches!(entry.state, EntryState::Valid | EntryState::Undefined);
        let sector = entry_region(layout, index).offset;
        let has_tries = found.tries(index) < TRIES;
        if is_settled || has_tries && marks::add(flash, sector, Mark::Try, entry.sequence)? {
            return Ok(Booted::Slot(entry.slot()));
        }
    }
    // No entry is left. What none names was never given up, and comes first.
    let mut slots = [Slot::Ota0, Slot::Ota1];
    slots.sort_unstable_by_key(|&slot| found.state_of(slot).is_some());
    for slot in slots {
        if image_ok(flash, layout.slot(slot))? {
            return Ok(Booted::Slot(slot));
        }
    }
    match layout.factory {
        Some(region) if image_ok(flash, region)? => Ok(Booted::Factory),
        _ => Err(BootError::NoBootableImage),
    }
}
