//! What every part of this crate does with flash: aligned reads, writes and
//! erases that are read back, and one error for all drivers.

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// Erase unit of the ESP32 family, and the unit everything here is laid out in.
pub const SECTOR_BYTES: u32 = 4096;

/// Largest read or write unit a driver may have: XTS-encrypted flash writes 32 bytes.
pub(crate) const UNIT_BYTES: usize = 32;

/// Stack buffer for comparing and hashing.
const WINDOW_BYTES: usize = 256;

/// A range of the chip, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, from the start of the chip.
    pub offset: u32,
    /// Length in bytes.
    pub size: u32,
}

impl Region {
    /// A region of `size` bytes from `offset`.
    pub const fn new(offset: u32, size: u32) -> Region {
        Region { offset, size }
    }

    /// First byte after the region; saturates, so a hostile table cannot wrap it.
    pub const fn end(self) -> u32 {
        self.offset.saturating_add(self.size)
    }

    /// Whether the two regions share a byte.
    pub const fn overlaps(self, other: Region) -> bool {
        self.offset < other.end() && other.offset < self.end()
    }
}

/// Why an access to flash failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlashError {
    /// The driver refused or failed; it logs its own cause.
    #[error("flash driver failed: {0}")]
    Driver(NorFlashErrorKind),
    /// What was written or erased does not read back.
    #[error("flash at {offset:#x} reads back differently")]
    ReadBack {
        /// Where the access began, from the start of the chip.
        offset: u32,
    },
    /// The driver's units do not fit: read and write units must divide 32
    /// bytes, the erase unit 4096.
    #[error("flash driver has unsupported read, write or erase units")]
    Geometry,
}

pub(crate) fn driver_error<E: NorFlashError>(error: E) -> FlashError {
    FlashError::Driver(error.kind())
}

/// Refuses drivers whose units this crate cannot address.
pub(crate) fn check_geometry<F: NorFlash>() -> Result<(), FlashError> {
    let units_fit = |unit: usize| unit > 0 && UNIT_BYTES.is_multiple_of(unit);
    let erase_fits = F::ERASE_SIZE > 0 && (SECTOR_BYTES as usize).is_multiple_of(F::ERASE_SIZE);
    if units_fit(F::READ_SIZE) && units_fit(F::WRITE_SIZE) && erase_fits {
        Ok(())
    } else {
        Err(FlashError::Geometry)
    }
}

/// Reads any range, whatever the driver's read unit.
pub(crate) fn read<F: ReadNorFlash>(
    flash: &mut F,
    mut offset: u32,
    mut bytes: &mut [u8],
) -> Result<(), FlashError> {
    if F::READ_SIZE == 0 || !UNIT_BYTES.is_multiple_of(F::READ_SIZE) {
        return Err(FlashError::Geometry);
    }
    while !bytes.is_empty() {
        let skip = offset as usize % F::READ_SIZE;
        let whole = bytes.len() - bytes.len() % F::READ_SIZE;
        let taken = if skip == 0 && whole > 0 {
            flash.read(offset, &mut bytes[..whole]).map_err(driver_error)?;
            whole
        } else {
            let mut unit = [0; UNIT_BYTES];
            let unit = &mut unit[..F::READ_SIZE];
            flash.read(offset - skip as u32, unit).map_err(driver_error)?;
            let taken = bytes.len().min(F::READ_SIZE - skip);
            bytes[..taken].copy_from_slice(&unit[skip..skip + taken]);
            taken
        };
        offset = offset.saturating_add(taken as u32);
        bytes = &mut bytes[taken..];
    }
    Ok(())
}

/// Hands the region's bytes to `sink` in order, a window at a time.
#[inline(never)]
pub(crate) fn stream<F: ReadNorFlash>(
    flash: &mut F,
    region: Region,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), FlashError> {
    let mut window = [0; WINDOW_BYTES];
    let mut offset = region.offset;
    let mut left = region.size;
    while left > 0 {
        let length = left.min(WINDOW_BYTES as u32);
        let bytes = &mut window[..length as usize];
        read(flash, offset, bytes)?;
        sink(bytes);
        offset = offset.saturating_add(length);
        left -= length;
    }
    Ok(())
}

/// Whether every byte of the region reads as erased.
pub(crate) fn is_blank<F: ReadNorFlash>(flash: &mut F, region: Region) -> Result<bool, FlashError> {
    let mut blank = true;
    stream(flash, region, &mut |bytes| blank &= bytes.iter().all(|&byte| byte == 0xFF))?;
    Ok(blank)
}

/// Writes whole units and compares what reads back.
pub(crate) fn write_checked<F: NorFlash>(
    flash: &mut F,
    offset: u32,
    bytes: &[u8],
) -> Result<(), FlashError> {
    flash.write(offset, bytes).map_err(driver_error)?;
    let mut rest = bytes;
    let mut same = true;
    stream(flash, Region::new(offset, bytes.len() as u32), &mut |found| {
        let (expected, after) = rest.split_at_checked(found.len()).unwrap_or_default();
        same &= found == expected;
        rest = after;
    })?;
    if same { Ok(()) } else { Err(FlashError::ReadBack { offset }) }
}

/// Erases the sector that begins at `offset` and checks that it reads as erased.
pub(crate) fn erase_sector<F: NorFlash>(flash: &mut F, offset: u32) -> Result<(), FlashError> {
    let end = offset.checked_add(SECTOR_BYTES).ok_or(FlashError::Geometry)?;
    flash.erase(offset, end).map_err(driver_error)?;
    if is_blank(flash, Region::new(offset, SECTOR_BYTES))? {
        Ok(())
    } else {
        Err(FlashError::ReadBack { offset })
    }
}
