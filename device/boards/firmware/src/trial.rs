//! Counting the starts of firmware on trial, where the bootloader does not.
//!
//! To be called as early as the application can: whatever goes wrong behind it costs one of three
//! tries, whatever goes wrong before it does not. Under a bootloader that goes back by itself it
//! leaves the count to that one.

use embedded_storage::nor_flash::{NorFlash, NorFlashError};
use otaru_agent::LogLine;
use otaru_slots::otadata::{ENTRY_BYTES, Entry};
use otaru_slots::{
    BootError, Booted, EntryState, FlashError, Layout, OtaData, OtaDataError, Region, SECTOR_BYTES,
    Slot, loader, otadata,
};
use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;

#[cfg(test)]
mod tests;

/// What the application does behind the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Stay,
    /// It goes on, on trial, and this start was counted here: the bootloader has no way back of its
    /// own, and does not catch what never gets as far as this. To be logged: [`UNSUPPORTED`].
    Counted,
    /// It restarts at once: the bootloader was told to start the other slot.
    GoBack,
}

/// What is said of [`Verdict::Counted`]. The agent, which says the same where nobody counts, does not
/// see it: for it firmware that is counted is on trial as under any bootloader.
pub const UNSUPPORTED: LogLine<'static> = LogLine {
    level: LogLevel::Warn,
    code: Some("OTA_UPDATE_FAILED"),
    message: &[
        "the bootloader left the trial unmarked: it cannot go back by itself, the firmware does",
    ],
    reason: Some(Reason::RollbackUnsupported),
};

/// Counts this start of the slot that runs, if its firmware is on trial; where its three tries are
/// used up, or it was given up, tells the bootloader to start the other slot.
///
/// `image_ok` says whether the other slot holds an image that would run; nothing is written for one
/// that does not. The slot that runs is not asked about: the bootloader checked it.
///
/// Errors: flash does not take it. The application goes on then, as if it had not been counted.
pub fn begin<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
    mut image_ok: impl FnMut(&mut F, Region) -> Result<bool, FlashError>,
) -> Result<Verdict, FlashError> {
    let written = OtaData::read_entries(flash, layout)?;
    // What the bootloader went by: where it started something else than it was told to, it found
    // the other image wanting, and would again.
    let Some(index) = written.active().filter(|&index| written.entries[index].slot() == running)
    else {
        return Ok(Verdict::Stay);
    };
    // A bootloader with rollback turned `new` into this, and gives it up at the next start.
    if written.entries[index].state == EntryState::PendingVerify {
        return Ok(Verdict::Stay);
    }
    let started = loader::start(flash, layout, |flash, region| {
        if region == layout.slot(running) { Ok(true) } else { image_ok(flash, region) }
    });
    match started {
        Ok(Booted::Slot(slot)) if slot != running => {}
        Ok(_) | Err(BootError::NoBootableImage) => return stay(flash, layout, index, &written),
        Err(BootError::Flash(error)) => return Err(error),
    }
    // Given up by a mark, which this bootloader does not read, or worn out.
    let found = OtaData::read(flash, layout)?;
    let state = match found.entries[index].state {
        EntryState::Invalid => EntryState::Invalid,
        _ => EntryState::Aborted,
    };
    give_up(flash, layout, index, written.entries[index].sequence, state)?;
    if OtaData::read_entries(flash, layout)?.active_slot() == Some(running.other()) {
        return Ok(Verdict::GoBack);
    }
    // No entry names the other slot any more.
    match otadata::roll_back(flash, layout, running, image_ok) {
        Ok(()) => Ok(Verdict::GoBack),
        Err(OtaDataError::Flash(error)) => Err(error),
        Err(_) => Ok(Verdict::Stay),
    }
}

/// Whether what goes on is on trial, by the marks alone: a bootloader with rollback would have written
/// so into the entry.
fn stay<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    index: usize,
    written: &OtaData,
) -> Result<Verdict, FlashError> {
    let found = OtaData::read(flash, layout)?.entries[index].state;
    let is_unmarked = written.entries[index].state == EntryState::New;
    Ok(match found {
        EntryState::New | EntryState::PendingVerify if is_unmarked => Verdict::Counted,
        _ => Verdict::Stay,
    })
}

/// Writes an entry that names what is not to be started again. Power that goes in between leaves
/// one that counts for nothing, which comes to the same.
fn give_up<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    index: usize,
    sequence: u32,
    state: EntryState,
) -> Result<(), FlashError> {
    let failed = |error: F::Error| FlashError::Driver(error.kind());
    let at = layout.otadata.offset + index as u32 * SECTOR_BYTES;
    // A torn erase can leave the entry with another state, and its CRC. One without it is none.
    let from = ENTRY_BYTES - F::WRITE_SIZE.max(4);
    let mut void = [0xFF; ENTRY_BYTES];
    void[ENTRY_BYTES - 4..].fill(0);
    let _ = flash.write(at + from as u32, &void[from..]);
    flash.erase(at, at + SECTOR_BYTES).map_err(failed)?;
    let bytes: [u8; ENTRY_BYTES] = Entry::new(sequence, state).to_bytes();
    flash.write(at, &bytes).map_err(failed)
}
