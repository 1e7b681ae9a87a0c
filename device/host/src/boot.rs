//! What the firmware finds when it runs: identity first, read from the slot itself.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, EntryState, Label, ResetCause, Running};
use otaru_release::{AppDescriptor, Chip, ImageHead};
use otaru_slots::{FlashError, Layout, OtaData, Slot};
use otaru_wire::Digest;

use crate::images::{find, reads_images};
use crate::{HostError, Storage};

/// Looks at the running slot and the selector's records; answers also how long what runs is.
pub(crate) fn look_around<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    slot: Slot,
    chip: Option<Chip>,
    reset: ResetCause,
) -> Result<(BootFacts, u32), HostError> {
    let entries = OtaData::read(flash, layout)?;
    let state = |slot| entries.state_of(slot).map_or(EntryState::Missing, entry_state);
    let other = slot.other();
    let other_entry = match entries.is_worn_out(other) {
        true => EntryState::WornOut,
        false => state(other),
    };
    let (running, image_bytes) = running(flash, layout, storage, slot, chip)?;
    let facts = BootFacts {
        running,
        running_entry: state(slot),
        other_entry,
        other_image: given_up_image(flash, layout, storage, &entries, other, chip),
        reset,
    };
    Ok((facts, image_bytes))
}

/// Which image a slot holds that its entry gives up.
fn given_up_image<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    entries: &OtaData,
    slot: Slot,
    chip: Option<Chip>,
) -> Option<Digest> {
    use otaru_slots::EntryState::{Aborted, Invalid};
    let is_given_up = matches!(entries.state_of(slot), Some(Invalid | Aborted));
    if !is_given_up && !entries.is_worn_out(slot) {
        return None;
    }
    Some(find(flash, layout, storage, slot, chip).ok()??.sha256)
}

fn running<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    slot: Slot,
    chip: Option<Chip>,
) -> Result<(Running, u32), HostError> {
    let image = find(flash, layout, storage, slot, chip)?.ok_or(HostError::NoBootableImage)?;
    let running = Running {
        slot: slot.name(),
        sha256: image.sha256,
        label: None,
        label_is_certain: true,
        sequence: 0,
        security_counter: 0,
    };
    if let Some(target) = image.target {
        let running = Running {
            label: Label::from(target.version.as_str()).ok(),
            sequence: target.sequence,
            security_counter: target.security_counter,
            ..running
        };
        return Ok((running, image.size_bytes));
    }
    let descriptor = match reads_images(chip) {
        true => descriptor(flash, layout, slot)?,
        false => None,
    };
    let running = Running {
        security_counter: descriptor.as_ref().map_or(0, |found| found.secure_version),
        label: descriptor
            .and_then(|found| Label::from(&found.version).ok())
            .filter(|label| !label.is_empty()),
        label_is_certain: image.is_factory,
        ..running
    };
    Ok((running, image.size_bytes))
}

/// Reads in units of 32 bytes, the largest a driver may have.
fn descriptor<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
) -> Result<Option<AppDescriptor>, HostError> {
    let mut head = [0; ImageHead::SIZE_BYTES.next_multiple_of(32)];
    flash.read(layout.slot(slot).offset, &mut head).map_err(|error| {
        use embedded_storage::nor_flash::NorFlashError;
        FlashError::Driver(error.kind())
    })?;
    Ok(ImageHead::parse(&head).ok().and_then(|head| head.descriptor))
}

fn entry_state(state: otaru_slots::EntryState) -> EntryState {
    use otaru_slots::EntryState as Found;
    match state {
        Found::New => EntryState::New,
        Found::PendingVerify => EntryState::PendingVerify,
        Found::Valid => EntryState::Valid,
        Found::Invalid => EntryState::Invalid,
        Found::Aborted => EntryState::Aborted,
        Found::Undefined | Found::Unknown(_) => EntryState::Undefined,
    }
}
