//! Whether a partition holds an image the bootloader would start.
//!
//! Header, segments, checksum and the appended SHA-256 of an ESP-IDF app
//! image, streamed from flash. `contract/release` reads the same format from
//! memory and knows far more about it; this knows what a bootloader knows.

use embedded_storage::nor_flash::ReadNorFlash;
use otaru_wire::{Digest, Hasher};

use crate::FlashError;
use crate::flash::{self, Region};

const MAGIC: u8 = 0xE9;
const HEADER_BYTES: usize = 24;
const SEGMENT_HEADER_BYTES: usize = 8;
const MAX_SEGMENTS: u8 = 16;
const CHECKSUM_SEED: u8 = 0xEF;

/// Why a partition's content would not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Flash failed.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// It does not begin as an image does.
    #[error("first byte is {found:#04x}, expected 0xe9")]
    NotAnImage {
        /// The first byte.
        found: u8,
    },
    /// An image has 1 to 16 segments.
    #[error("{found} segments, expected 1 to 16")]
    SegmentCount {
        /// What the header says.
        found: u8,
    },
    /// It was built for another chip.
    #[error("image is for chip {found}, expected {expected}")]
    Chip {
        /// The header's chip id.
        found: u16,
        /// The chip's own id.
        expected: u16,
    },
    /// A segment's length is not a multiple of 4, or leaves the partition.
    #[error("segment {number} has {found} bytes, which is misaligned or leaves the partition")]
    Segment {
        /// Segment number, from 0.
        number: u8,
        /// Its length in bytes.
        found: u32,
    },
    /// The checksum or the digest behind the segments leaves the partition.
    #[error("image does not fit a partition of {partition_bytes} bytes")]
    TooLong {
        /// Length of the partition in bytes.
        partition_bytes: u32,
    },
    /// The checksum of the segments is another.
    #[error("checksum is {found:#04x}, expected {expected:#04x}")]
    Checksum {
        /// The byte in the image.
        found: u8,
        /// The byte computed.
        expected: u8,
    },
    /// The appended SHA-256 is another.
    #[error("image does not have its appended SHA-256")]
    Digest,
}

/// Checks the image at the start of `region`; answers its length in bytes,
/// the appended SHA-256 included.
///
/// `chip_id` is the image header's number of the chip; `None` accepts any.
pub fn verify<F: ReadNorFlash>(
    flash: &mut F,
    region: Region,
    chip_id: Option<u16>,
) -> Result<u32, ImageFault> {
    let mut cursor = Cursor { flash, region, at: 0, hasher: Hasher::new() };
    let mut header = [0; HEADER_BYTES];
    cursor.take(&mut header)?;
    if header[0] != MAGIC {
        return Err(ImageFault::NotAnImage { found: header[0] });
    }
    let segments = header[1];
    if !(1..=MAX_SEGMENTS).contains(&segments) {
        return Err(ImageFault::SegmentCount { found: segments });
    }
    let found = u16::from_le_bytes([header[12], header[13]]);
    if let Some(expected) = chip_id.filter(|&expected| expected != found) {
        return Err(ImageFault::Chip { found, expected });
    }

    let mut checksum = CHECKSUM_SEED;
    for number in 0..segments {
        let mut head = [0; SEGMENT_HEADER_BYTES];
        cursor.take(&mut head)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if !length.is_multiple_of(4) || length > cursor.left() {
            return Err(ImageFault::Segment { number, found: length });
        }
        checksum = cursor.fold(length, checksum)?;
    }

    // The checksum is the last byte of the padding to 16 bytes.
    let mut padding = [0; 16];
    let (padding, _) = padding.split_at_mut(16 - cursor.at as usize % 16);
    cursor.take(padding)?;
    let found = padding.last().copied().unwrap_or_default();
    if found != checksum {
        return Err(ImageFault::Checksum { found, expected: checksum });
    }
    let has_digest = header[23] == 1;
    if has_digest {
        let Digest(expected) = cursor.hasher.digest();
        let mut found = [0; Digest::LENGTH_BYTES];
        cursor.take(&mut found)?;
        if found != expected {
            return Err(ImageFault::Digest);
        }
    }
    Ok(cursor.at)
}

/// Reads a region front to back and hashes what it reads.
struct Cursor<'a, F> {
    flash: &'a mut F,
    region: Region,
    at: u32,
    hasher: Hasher,
}

impl<F: ReadNorFlash> Cursor<'_, F> {
    fn left(&self) -> u32 {
        self.region.size - self.at
    }

    fn here(&self, length: u32) -> Result<Region, ImageFault> {
        if length > self.left() {
            return Err(ImageFault::TooLong { partition_bytes: self.region.size });
        }
        Ok(Region::new(self.region.offset.saturating_add(self.at), length))
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<(), ImageFault> {
        let here = self.here(bytes.len() as u32)?;
        flash::read(self.flash, here.offset, bytes)?;
        self.hasher.update(bytes);
        self.at += here.size;
        Ok(())
    }

    fn fold(&mut self, length: u32, mut checksum: u8) -> Result<u8, ImageFault> {
        let here = self.here(length)?;
        flash::stream(self.flash, here, &mut |bytes| {
            self.hasher.update(bytes);
            checksum = bytes.iter().fold(checksum, |sum, byte| sum ^ byte);
        })?;
        self.at += length;
        Ok(checksum)
    }
}
