//! A simulated chip: how it comes from the factory, and what its image says of itself.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use embedded_storage::nor_flash::ReadNorFlash;
use otaru_host::Storage;
use otaru_release::{Behaviour, Chip, ImageHead};
use otaru_slots::{Layout, Slot, image};

use crate::{FileFlash, SimError, SimOptions};

/// What the running image is for, and what it does.
pub(crate) struct Image {
    pub(crate) chip: Chip,
    pub(crate) behaviour: Behaviour,
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
    Storage::open(&mut flash, &layout)?.save_factory(&mut flash, &image)?;
    std::fs::rename(unfinished, &options.flash).map_err(in_file)
}

/// Room for the one image that is looked at. A thousand devices that boot in one process look one
/// after the other: buffers of their own would stay resident between what was allocated since.
static IMAGE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Reads the image that runs.
pub(crate) fn running(
    flash: &mut FileFlash,
    layout: &Layout,
    slot: Slot,
) -> Result<Image, SimError> {
    let region = layout.slot(slot);
    let length = image::verify(flash, region, None).map_err(|_| SimError::NoBootableImage)?;
    let mut image = IMAGE.lock().unwrap_or_else(PoisonError::into_inner);
    image.resize(length as usize, 0);
    flash.read(region.offset, &mut image)?;
    let head = ImageHead::parse(&image).map_err(|_| SimError::NoBootableImage)?;
    Ok(Image { chip: head.chip, behaviour: Behaviour::of(&image) })
}
