use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use otaru_wire::{Digest, Reason};

use super::chip::Chip;
use super::foreign::Foreign;

/// Why bytes are refused as a firmware image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// Something else than an application image.
    NotEspImage {
        /// What the bytes look like.
        found: Foreign,
    },
    /// A second-stage bootloader instead of an application.
    IsBootloader,
    /// A merged factory image: bootloader, partition table and application in one file.
    IsFactoryImage,
    /// The header announces more than the file holds.
    Truncated {
        /// Bytes in the file.
        size_bytes: u64,
        /// Bytes the file needs at least.
        needed_bytes: u64,
    },
    /// ESP-IDF loads 1 to 16 segments.
    SegmentCount {
        /// The count in the header.
        found: u8,
    },
    /// A segment's length is not a multiple of four.
    SegmentLength {
        /// Which segment, from 0.
        segment: u8,
        /// The length in its header.
        length_bytes: u32,
    },
    /// The XOR over all segment bytes differs from the stored one.
    Checksum {
        /// The stored checksum.
        found: u8,
        /// The computed checksum.
        expected: u8,
    },
    /// The SHA-256 appended to the image is not the image's.
    AppendedHash {
        /// The stored hash.
        found: Digest,
        /// The computed hash.
        expected: Digest,
    },
    /// A signature block's CRC or image digest is wrong.
    SignatureBlock {
        /// Which block, from 0.
        block: u8,
    },
    /// Bytes after the image's end that are neither padding nor a signature sector.
    Trailing {
        /// Offset of the first such byte.
        at: u64,
        /// Bytes in the file.
        size_bytes: u64,
    },
    /// A chip id this build does not know.
    UnknownChip {
        /// The id in the header.
        id: u16,
    },
    /// Built for another chip.
    WrongChip {
        /// The image's chip.
        found: Chip,
        /// The device's chip.
        expected: Chip,
    },
    /// Not for this revision of the chip (major × 100 + minor).
    WrongRevision {
        /// The device's revision.
        revision: u16,
        /// The lowest the image runs on.
        min: u16,
        /// The highest the image runs on, if it says so.
        max: Option<u16>,
    },
    /// Larger than the slot.
    TooLarge {
        /// Bytes in the file.
        size_bytes: u64,
        /// Bytes in the slot.
        slot_bytes: u64,
    },
    /// The header claims a larger flash chip than the device has; such an image stops at start.
    FlashTooSmall {
        /// The flash size the header claims.
        claimed_bytes: u32,
        /// The device's flash size.
        flash_bytes: u32,
    },
}

impl ImageError {
    /// The refusal of a file that is no application.
    pub(super) fn of(found: Foreign) -> ImageError {
        match found {
            Foreign::Bootloader => ImageError::IsBootloader,
            Foreign::FactoryImage => ImageError::IsFactoryImage,
            found => ImageError::NotEspImage { found },
        }
    }

    /// The stable code a client may match on.
    pub fn code(&self) -> &'static str {
        use ImageError::*;
        match self {
            NotEspImage { .. } => "not_esp_image",
            IsBootloader => "image_is_bootloader",
            IsFactoryImage => "image_is_factory",
            Truncated { .. } => "image_truncated",
            SegmentCount { .. } | SegmentLength { .. } => "image_segments",
            Checksum { .. } | AppendedHash { .. } => "image_corrupt",
            SignatureBlock { .. } => "image_signature",
            Trailing { .. } => "image_trailing",
            UnknownChip { .. } => "unknown_chip",
            WrongChip { .. } => "wrong_chip",
            WrongRevision { .. } => "wrong_revision",
            TooLarge { .. } => "image_too_large",
            FlashTooSmall { .. } => "flash_too_small",
        }
    }

    /// What the image was found to be, for people.
    pub fn found(&self) -> String {
        use ImageError::*;
        match self {
            NotEspImage { found } => found.to_string(),
            IsBootloader => Foreign::Bootloader.to_string(),
            IsFactoryImage => Foreign::FactoryImage.to_string(),
            Truncated { size_bytes, .. } => format!("{size_bytes} bytes"),
            SegmentCount { found } => format!("{found} segments"),
            SegmentLength { segment, length_bytes } => {
                format!("segment {segment} of {length_bytes} bytes")
            }
            Checksum { found, .. } => format!("checksum 0x{found:02x}"),
            AppendedHash { found, .. } => format!("appended SHA-256 {found}"),
            SignatureBlock { block } => format!("signature block {block} of other bytes"),
            Trailing { at, size_bytes } => {
                format!("{} bytes after the image's end", size_bytes - at)
            }
            UnknownChip { id } => format!("chip id {id}"),
            WrongChip { found, .. } => format!("an image for {}", found.marketing_name()),
            WrongRevision { min, max, .. } => match max {
                Some(max) => format!("an image for revisions {min} to {max}"),
                None => format!("an image for revision {min} and later"),
            },
            TooLarge { size_bytes, .. } => format!("{size_bytes} bytes"),
            FlashTooSmall { claimed_bytes, .. } => {
                format!("an image for {claimed_bytes} bytes of flash")
            }
        }
    }

    /// What it should have been, for people.
    pub fn expected(&self) -> String {
        use ImageError::*;
        match self {
            NotEspImage { .. } => "an ESP-IDF application image (first byte 0xe9)".to_string(),
            IsBootloader | IsFactoryImage => {
                "the application image alone, as `idf.py build` names it for flashing".to_string()
            }
            Truncated { needed_bytes, .. } => format!("at least {needed_bytes} bytes"),
            SegmentCount { .. } => "1 to 16 segments".to_string(),
            SegmentLength { .. } => "a multiple of 4 bytes".to_string(),
            Checksum { expected, .. } => format!("checksum 0x{expected:02x}"),
            AppendedHash { expected, .. } => format!("SHA-256 {expected}"),
            SignatureBlock { .. } => "a signature block over this image".to_string(),
            Trailing { at, .. } => {
                format!("{at} bytes, then only 0xff padding or a signature sector")
            }
            UnknownChip { .. } => {
                let ids = Chip::all().map(|chip| format!("{}", chip.id()));
                format!("one of {}", ids.collect::<alloc::vec::Vec<_>>().join(", "))
            }
            WrongChip { expected, .. } => format!("an image for {}", expected.marketing_name()),
            WrongRevision { revision, .. } => format!("an image for revision {revision}"),
            TooLarge { slot_bytes, .. } => format!("at most {slot_bytes} bytes"),
            FlashTooSmall { flash_bytes, .. } => format!("at most {flash_bytes} bytes of flash"),
        }
    }

    /// The number a device reports when it refuses an image for this.
    pub fn reason(&self) -> Reason {
        match self {
            ImageError::WrongChip { .. }
            | ImageError::UnknownChip { .. }
            | ImageError::WrongRevision { .. }
            | ImageError::FlashTooSmall { .. } => Reason::WrongChip,
            ImageError::TooLarge { .. } => Reason::ImageTooLarge,
            _ => Reason::ImageCorrupt,
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {}, expected {}", self.found(), self.expected())
    }
}

impl core::error::Error for ImageError {}
