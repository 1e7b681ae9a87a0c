use super::bytes::u16_at;
use super::{AppDescriptor, Chip, ImageError, MAGIC, MAX_SEGMENTS, foreign};

/// What the first bytes of an image tell, before the rest is there.
///
/// A device reads this from the first [`ImageHead::SIZE_BYTES`] of a download
/// and can refuse the image before it erases anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageHead {
    /// The chip it was built for.
    pub chip: Chip,
    /// Lowest chip revision it runs on, major × 100 + minor.
    pub min_revision: u16,
    /// Highest chip revision it runs on; `None` is no limit.
    pub max_revision: Option<u16>,
    /// Flash size the header claims; `None` for a number no ESP-IDF has defined.
    pub flash_bytes: Option<u32>,
    /// How the header says flash is read: `qio`, `dio`, …; `None` for an unknown number.
    pub flash_mode: Option<&'static str>,
    /// Number of segments, 1 to 16.
    pub segments: u8,
    /// Whether a SHA-256 follows the checksum.
    pub has_appended_hash: bool,
    /// The application descriptor, if the image has one.
    pub descriptor: Option<AppDescriptor>,
}

impl ImageHead {
    /// Bytes of header, first segment header and application descriptor.
    pub const SIZE_BYTES: usize = AppDescriptor::OFFSET + AppDescriptor::SIZE_BYTES;
    /// Bytes of the image header alone, the least [`ImageHead::parse`] accepts.
    pub(super) const HEADER_BYTES: usize = 24;

    /// Reads a file's first bytes; give it [`ImageHead::SIZE_BYTES`] to see the descriptor.
    pub fn parse(first: &[u8]) -> Result<ImageHead, ImageError> {
        if first.first() != Some(&MAGIC) {
            return Err(foreign::recognise(first));
        }
        let Some(header) = first.get(..Self::HEADER_BYTES) else {
            return Err(ImageError::Truncated {
                size_bytes: first.len() as u64,
                needed_bytes: Self::HEADER_BYTES as u64,
            });
        };
        let field = |at| u16_at(header, at).unwrap_or(0);
        let segments = header[1];
        match segments {
            0 => return Err(ImageError::NoSegments),
            found if found > MAX_SEGMENTS => return Err(ImageError::TooManySegments { found }),
            _ => {}
        }
        let id = field(12);
        let chip = Chip::from_id(id).ok_or(ImageError::UnknownChip { id })?;
        // Before ESP-IDF 4.4 only the major revision was stored, in its own byte.
        let min_revision = match field(15) {
            0 => u16::from(header[14]) * 100,
            full => full,
        };
        Ok(ImageHead {
            chip,
            min_revision,
            max_revision: Some(field(17)).filter(|&max| max != 0 && max != u16::MAX),
            flash_bytes: flash_bytes(header[3] >> 4),
            flash_mode: FLASH_MODES.get(usize::from(header[2])).copied(),
            segments,
            has_appended_hash: header[23] != 0,
            descriptor: AppDescriptor::read(first),
        })
    }

    /// The chip an image was built for, by its header alone; `None` where [`ImageHead::parse`]
    /// refuses it. For devices, which do not ask why.
    pub fn chip_of(first: &[u8]) -> Option<Chip> {
        let header: &[u8; Self::HEADER_BYTES] = first.first_chunk()?;
        let is_image = header[0] == MAGIC && (1..=MAX_SEGMENTS).contains(&header[1]);
        Chip::from_id(u16::from_le_bytes([header[12], header[13]])).filter(|_| is_image)
    }

    /// Refuses an image for another chip, or for other revisions of it when `revision` is known.
    pub fn runs_on(&self, chip: Chip, revision: Option<u16>) -> Result<(), ImageError> {
        if self.chip != chip {
            return Err(ImageError::WrongChip { found: self.chip, expected: chip });
        }
        match revision {
            Some(revision)
                if revision < self.min_revision
                    || self.max_revision.is_some_and(|max| revision > max) =>
            {
                Err(ImageError::WrongRevision {
                    revision,
                    min: self.min_revision,
                    max: self.max_revision,
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses an image whose header claims more flash than the device has.
    ///
    /// ESP-IDF's start-up code compares the two and stops when the chip is smaller.
    pub fn fits_flash(&self, flash_bytes: u32) -> Result<(), ImageError> {
        fits_flash(self.flash_bytes, flash_bytes)
    }
}

/// `esp_image_spi_mode_t`, by number.
const FLASH_MODES: [&str; 6] = ["qio", "qout", "dio", "dout", "fast_read", "slow_read"];

/// `esp_image_flash_size_t`: 0 is 1 MB, each further number doubles it.
fn flash_bytes(nibble: u8) -> Option<u32> {
    (nibble <= 7).then(|| (1 << 20) << nibble)
}

/// The rule of [`ImageHead::fits_flash`], for callers that kept only the claim.
pub(super) fn fits_flash(claimed: Option<u32>, flash_bytes: u32) -> Result<(), ImageError> {
    match claimed {
        Some(claimed_bytes) if claimed_bytes > flash_bytes => {
            Err(ImageError::FlashTooSmall { claimed_bytes, flash_bytes })
        }
        _ => Ok(()),
    }
}
