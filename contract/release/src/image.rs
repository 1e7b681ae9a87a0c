//! ESP-IDF application images: what they are, whether they are whole, where they run.
//!
//! The layout is that of `esp_image_format.h` and `esp_app_desc.h`. Everything
//! is checked that ESP-IDF's own loader checks, and the bytes after the image
//! too, so a file that parses here also starts there.

mod behaviour;
mod builder;
mod bytes;
mod chip;
mod code;
mod descriptor;
mod error;
mod foreign;
mod head;
mod segments;
mod signature;

pub use behaviour::Behaviour;
pub use builder::ImageBuilder;
pub use chip::{Chip, OtherChip, UnknownChip};
pub use descriptor::{AppDescriptor, DescriptorView};
pub use error::ImageError;
pub use head::ImageHead;

use otaru_wire::Digest;

/// First byte of every image.
const MAGIC: u8 = 0xE9;
/// `ESP_IMAGE_MAX_SEGMENTS`.
const MAX_SEGMENTS: u8 = 16;
/// Where the checksum over segment data starts.
const CHECKSUM_SEED: u8 = 0xEF;

/// The parser of image files; its result is [`ImageFacts`].
#[derive(Debug)]
pub enum Image {}

impl Image {
    /// Reads and checks a whole image file.
    ///
    /// Refuses anything that is not exactly one whole application image,
    /// optionally followed by 0xFF padding and a signature sector.
    pub fn parse(bytes: &[u8]) -> Result<ImageFacts, ImageError> {
        let head = ImageHead::parse(bytes)?;
        if let Some(other) = foreign::recognise_relative(bytes) {
            return Err(other);
        }
        let body = segments::Body::check(bytes, &head)?;
        let signature_blocks = signature::check_trailer(bytes, body.end)?;
        Ok(ImageFacts {
            chip: head.chip,
            min_revision: head.min_revision,
            max_revision: head.max_revision,
            flash_bytes: head.flash_bytes,
            flash_mode: head.flash_mode,
            size_bytes: bytes.len() as u64,
            sha256: Digest::of(bytes),
            has_appended_hash: head.has_appended_hash,
            signature_blocks,
            descriptor: head.descriptor,
        })
    }

    /// The digest by which ESP-IDF knows the image while it runs (`esp_partition_get_sha256`): the
    /// appended one, or that of its bytes without padding and signature.
    pub fn running_digest(bytes: &[u8]) -> Result<Digest, ImageError> {
        let head = ImageHead::parse(bytes)?;
        let body = segments::Body::check(bytes, &head)?;
        let image = &bytes[..body.end];
        // Whether it is the right one was checked just now.
        let appended = image.last_chunk::<{ Digest::LENGTH_BYTES }>();
        Ok(match appended.filter(|_| head.has_appended_hash) {
            Some(digest) => Digest(*digest),
            None => Digest::of(image),
        })
    }
}

/// What is known about a whole, undamaged image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The chip it was built for.
    pub chip: Chip,
    /// Lowest chip revision it runs on, major × 100 + minor.
    pub min_revision: u16,
    /// Highest chip revision it runs on; `None` is no limit.
    pub max_revision: Option<u16>,
    /// Flash size the header claims.
    pub flash_bytes: Option<u32>,
    /// How the header says flash is read: `qio`, `dio`, …
    pub flash_mode: Option<&'static str>,
    /// Bytes in the file, padding and signature sector included.
    pub size_bytes: u64,
    /// SHA-256 over the whole file: the image's identity.
    pub sha256: Digest,
    /// Whether the image carries its own SHA-256.
    pub has_appended_hash: bool,
    /// Secure Boot v2 signature blocks behind the image, 0 to 3.
    pub signature_blocks: u8,
    /// The application descriptor, if the image has one.
    pub descriptor: Option<AppDescriptor>,
}

impl ImageFacts {
    /// Refuses an image for another chip or one that does not fit into the slot.
    pub fn fits(&self, chip: Chip, slot_bytes: u64) -> Result<(), ImageError> {
        if self.chip != chip {
            return Err(ImageError::WrongChip { found: self.chip, expected: chip });
        }
        if self.size_bytes > slot_bytes {
            return Err(ImageError::TooLarge { size_bytes: self.size_bytes, slot_bytes });
        }
        Ok(())
    }

    /// Refuses an image that does not run on every revision of `lowest` to `highest`, each
    /// major × 100 + minor.
    pub fn runs_on_all(&self, lowest: u16, highest: u16) -> Result<(), ImageError> {
        let (min, max) = (self.min_revision, self.max_revision);
        let refused = |revision| Err(ImageError::WrongRevision { revision, min, max });
        match max {
            _ if lowest < min => refused(lowest),
            Some(max) if highest > max => refused(highest),
            _ => Ok(()),
        }
    }

    /// Refuses an image whose header claims more flash than the device has.
    pub fn fits_flash(&self, flash_bytes: u32) -> Result<(), ImageError> {
        head::fits_flash(self.flash_bytes, flash_bytes)
    }
}
