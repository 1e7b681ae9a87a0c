//! What the firmware finds when it runs: identity first, read from the slot itself.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, EntryState, Label, ResetCause, Running};
use otaru_release::{Chip, DescriptorView, ImageHead};
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
    let mut running = Running {
        slot: slot.name(),
        sha256: image.sha256,
        label: None,
        label_is_certain: true,
        sequence: 0,
        security_counter: 0,
    };
    if let Some(target) = image.target {
        running.label = Label::from(target.version.as_str()).ok();
        running.sequence = target.sequence;
        running.security_counter = target.security_counter;
        return Ok((running, image.size_bytes));
    }
    running.label_is_certain = image.is_factory;
    let mut head = [0; HEAD_BYTES];
    if reads_images(chip)
        && let Some(descriptor) = descriptor(flash, layout, slot, &mut head)?
    {
        running.security_counter = descriptor.secure_version();
        running.label = label(descriptor.version());
    }
    Ok((running, image.size_bytes))
}

/// What is read of an image: in units of 32 bytes, the largest a driver may have.
const HEAD_BYTES: usize = ImageHead::SIZE_BYTES.next_multiple_of(32);

fn descriptor<'h, F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    head: &'h mut [u8; HEAD_BYTES],
) -> Result<Option<DescriptorView<'h>>, HostError> {
    flash.read(layout.slot(slot).offset, head).map_err(|error| {
        use embedded_storage::nor_flash::NorFlashError;
        FlashError::Driver(error.kind())
    })?;
    Ok(ImageHead::chip_of(head).and_then(|_| DescriptorView::of(head)))
}

/// What a descriptor calls itself; what is no text in it is replaced.
fn label(version: &[u8]) -> Option<Label> {
    let mut label = Label::new();
    for chunk in version.utf8_chunks() {
        label.try_push_str(chunk.valid()).ok()?;
        if !chunk.invalid().is_empty() {
            label.try_push(char::REPLACEMENT_CHARACTER).ok()?;
        }
    }
    (!label.is_empty()).then_some(label)
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
