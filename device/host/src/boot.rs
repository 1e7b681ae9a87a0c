//! What the firmware finds when it runs: identity first, read from the slot itself.

use alloc::borrow::ToOwned;
use alloc::string::ToString;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, EntryState, ResetCause, Running};
use otaru_release::{AppDescriptor, ImageHead};
use otaru_slots::{FlashError, Layout, OtaData, Slot, hash_slot, image};
use otaru_wire::Digest;

use crate::{HostError, Storage};

/// Looks at the running slot and the selector's records.
pub(crate) fn look_around<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    slot: Slot,
    reset: ResetCause,
) -> Result<BootFacts, HostError> {
    let entries = OtaData::read(flash, layout)?;
    let state = |slot| entries.state_of(slot).map_or(EntryState::Missing, entry_state);
    let other_entry = match entries.is_worn_out(slot.other()) {
        true => EntryState::WornOut,
        false => state(slot.other()),
    };
    Ok(BootFacts {
        running: running(flash, layout, storage, slot)?,
        running_entry: state(slot),
        other_entry,
        other_image: given_up_image(flash, layout, storage, &entries, slot.other()),
        reset,
    })
}

/// Which image a slot holds that its entry gives up.
fn given_up_image<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    entries: &OtaData,
    slot: Slot,
) -> Option<Digest> {
    use otaru_slots::EntryState::{Aborted, Invalid};
    let is_given_up = matches!(entries.state_of(slot), Some(Invalid | Aborted));
    if !is_given_up && !entries.is_worn_out(slot) {
        return None;
    }
    Some(running(flash, layout, storage, slot).ok()?.sha256)
}

/// Identity first: the hash of the slot. Only a stored target with that very hash lends its label.
fn running<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    storage: &Storage,
    slot: Slot,
) -> Result<Running, HostError> {
    let length =
        image::verify(flash, layout.slot(slot), None).map_err(|_| HostError::NoBootableImage)?;
    if let Some(target) = storage.target(flash, slot)?
        && holds(flash, layout, slot, target.size_bytes, &target.sha256)
    {
        return Ok(Running {
            slot: slot.name().to_owned(),
            sha256: target.sha256,
            label: Some(target.version.to_string()),
            label_is_certain: true,
            sequence: target.sequence,
            security_counter: target.security_counter,
        });
    }
    let factory = storage
        .factory(flash)?
        .filter(|(size, sha256)| holds(flash, layout, slot, u64::from(*size), sha256));
    let descriptor = descriptor(flash, layout, slot)?;
    let sha256 = match factory {
        Some((_, sha256)) => sha256,
        None => {
            Digest(hash_slot(flash, layout, slot, length).map_err(|_| HostError::NoBootableImage)?)
        }
    };
    Ok(Running {
        slot: slot.name().to_owned(),
        sha256,
        security_counter: descriptor.as_ref().map_or(0, |found| found.secure_version),
        label: descriptor.map(|found| found.version).filter(|version| !version.is_empty()),
        label_is_certain: factory.is_some(),
        sequence: 0,
    })
}

fn holds<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    slot: Slot,
    size_bytes: u64,
    sha256: &Digest,
) -> bool {
    let Ok(size) = u32::try_from(size_bytes) else { return false };
    hash_slot(flash, layout, slot, size).is_ok_and(|found| found == *sha256.as_bytes())
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
