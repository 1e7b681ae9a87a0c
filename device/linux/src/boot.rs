//! Power-on: the bootloader's choice, and what the firmware finds when it runs.

use std::path::Path;

use otaru_agent::{BootFacts, EntryState, ResetCause, Running};
use otaru_release::{Behaviour, Chip, ImageHead};
use otaru_slots::{Booted, Layout, OtaData, Slot, boot, hash_slot, image};
use otaru_wire::Digest;

use crate::storage::Storage;
use crate::{FileFlash, SimError, SimOptions};

/// What runs, as the firmware itself can see it.
pub(crate) struct Boot {
    pub(crate) chip: Chip,
    pub(crate) behaviour: Behaviour,
    pub(crate) facts: BootFacts,
}

/// Makes the flash file of a new device, with the factory image in its first slot.
pub(crate) fn make_flash(options: &SimOptions) -> Result<(), SimError> {
    let image = options.image.as_ref().ok_or(SimError::NoImage)?;
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| SimError::File { path: path.to_owned(), source })
    };
    let image = read(image)?;
    let layout = Layout::standard(options.flash_bytes, options.slot_bytes)?;
    let slot = layout.slot(Slot::Ota0);
    if image.len() > slot.size as usize {
        return Err(SimError::ImageTooLarge { size_bytes: image.len(), slot_bytes: slot.size });
    }
    // Made beside its place and moved there, so that a kill leaves no half chip behind.
    let mut unfinished = options.flash.clone().into_os_string();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let in_file = |source| SimError::File { path: options.flash.clone(), source };
    FileFlash::create(unfinished, options.flash_bytes).map_err(in_file)?;
    let mut flash = FileFlash::open(unfinished).map_err(in_file)?;
    layout.write_table(&mut flash)?;
    flash.program(slot.offset, &image)?;
    // Padding and a signature sector belong to the file and so to its digest, but no
    // header in flash says how much of them there is.
    Storage::open(&flash, &layout)?.save_factory(&image)?;
    std::fs::rename(unfinished, &options.flash).map_err(in_file)
}

/// Lets the bootloader choose and start a slot.
pub(crate) fn start_slot(
    flash: &mut FileFlash,
    layout: &Layout,
    chip: Option<Chip>,
) -> Result<Slot, SimError> {
    match boot(flash, layout, boot::images_for(chip.map(Chip::id)))? {
        Booted::Slot(slot) => Ok(slot),
        // The layout of a simulated device has no factory partition.
        Booted::Factory => Err(SimError::NoBootableImage),
    }
}

/// Looks at the running slot and the selector's records.
pub(crate) fn look_around(
    flash: &mut FileFlash,
    layout: &Layout,
    storage: &mut Storage,
    slot: Slot,
    reset: ResetCause,
) -> Result<Boot, SimError> {
    let image = read_image(flash, layout, slot)?;
    let head = ImageHead::parse(&image).map_err(|_| SimError::NoBootableImage)?;
    let entries = OtaData::read(flash, layout)?;
    let state = |slot| entries.state_of(slot).map_or(EntryState::Missing, entry_state);
    let facts = BootFacts {
        running: running(flash, layout, storage, slot, &image)?,
        running_entry: state(slot),
        other_entry: state(slot.other()),
        other_image: given_up_image(flash, layout, storage, &entries, slot.other())?,
        reset,
    };
    Ok(Boot { chip: head.chip, behaviour: Behaviour::of(&image), facts })
}

/// Which image a slot holds that its entry gives up.
fn given_up_image(
    flash: &mut FileFlash,
    layout: &Layout,
    storage: &mut Storage,
    entries: &OtaData,
    slot: Slot,
) -> Result<Option<Digest>, SimError> {
    use otaru_slots::EntryState::{Aborted, Invalid};
    if !matches!(entries.state_of(slot), Some(Invalid | Aborted)) {
        return Ok(None);
    }
    let Ok(image) = read_image(flash, layout, slot) else { return Ok(None) };
    Ok(Some(running(flash, layout, storage, slot, &image)?.sha256))
}

fn read_image(flash: &mut FileFlash, layout: &Layout, slot: Slot) -> Result<Vec<u8>, SimError> {
    let region = layout.slot(slot);
    let length = image::verify(flash, region, None).map_err(|_| SimError::NoBootableImage)?;
    Ok(flash.dump(region.offset, length)?)
}

/// Identity first: the hash of the slot. Only a stored target with that very hash lends its label.
fn running(
    flash: &mut FileFlash,
    layout: &Layout,
    storage: &mut Storage,
    slot: Slot,
    image: &[u8],
) -> Result<Running, SimError> {
    let mut holds = |size: u32, sha256: Digest| {
        hash_slot(flash, layout, slot, size).is_ok_and(|found| Digest(found) == sha256)
    };
    if let Some(target) = storage.target(slot)?
        && let Ok(size) = u32::try_from(target.size_bytes)
        && holds(size, target.sha256)
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
    let factory = storage.factory()?.filter(|&(size, sha256)| holds(size, sha256));
    let descriptor = ImageHead::parse(image).ok().and_then(|head| head.descriptor);
    Ok(Running {
        slot: slot.name().to_owned(),
        sha256: factory.map_or_else(|| Digest::of(image), |(_, sha256)| sha256),
        security_counter: descriptor.as_ref().map_or(0, |found| found.secure_version),
        label: descriptor.map(|found| found.version).filter(|version| !version.is_empty()),
        label_is_certain: factory.is_some(),
        sequence: 0,
    })
}

fn entry_state(state: otaru_slots::EntryState) -> EntryState {
    match state {
        otaru_slots::EntryState::New => EntryState::New,
        otaru_slots::EntryState::PendingVerify => EntryState::PendingVerify,
        otaru_slots::EntryState::Valid => EntryState::Valid,
        otaru_slots::EntryState::Invalid => EntryState::Invalid,
        otaru_slots::EntryState::Aborted => EntryState::Aborted,
        otaru_slots::EntryState::Undefined | otaru_slots::EntryState::Unknown(_) => {
            EntryState::Undefined
        }
    }
}
