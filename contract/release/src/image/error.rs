use core::fmt;

use otaru_wire::{Digest, Reason};

use super::chip::Chip;

mod words;

/// Why bytes are refused as a firmware image.
///
/// What is said of a variant here is also what `docs/errors.md` says of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// Begins with a byte that begins neither an image (0xe9) nor any other file that is known.
    NotEspImage {
        /// The first byte.
        first: u8,
    },
    /// No bytes at all.
    Empty,
    /// The ELF file, which the linker writes; `esptool elf2image` or `espflash save-image` makes
    /// an image of it.
    IsElf,
    /// A UF2 file, for drag and drop over USB; upload the `.bin` of the same build.
    IsUf2,
    /// A compressed file or an archive; unpack it first.
    IsCompressed {
        /// Its format.
        format: &'static str,
    },
    /// Intel HEX, which is text; upload the `.bin` of the same build.
    IsHex,
    /// The partition table, which is no application.
    IsPartitionTable,
    /// Erased flash (0xff) at the beginning: flash that was read from another offset than the
    /// application's.
    IsErased,
    /// The second-stage bootloader, which is no application.
    IsBootloader,
    /// A merged image for flashing at 0, with bootloader, partition table and application; upload
    /// the application alone.
    IsFactoryImage,
    /// The file ends before the header, the checksum or the appended SHA-256 does: it was cut.
    Truncated {
        /// Bytes in the file.
        size_bytes: u64,
        /// Bytes the file needs at least.
        needed_bytes: u64,
    },
    /// A segment ends behind the end of the file: the file was cut, or its length is damaged.
    SegmentOverrun {
        /// Which segment, from 0.
        segment: u8,
        /// Bytes in the file.
        size_bytes: u64,
        /// Where the segment ends.
        needed_bytes: u64,
    },
    /// The header announces no segments, so there is nothing to run.
    NoSegments,
    /// The header announces more segments than the 16 that ESP-IDF loads.
    TooManySegments {
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
    /// The XOR over all segment bytes is not the stored checksum: a byte was changed.
    Checksum {
        /// The stored checksum.
        found: u8,
        /// The computed checksum.
        expected: u8,
    },
    /// The SHA-256 appended to the image is not the image's: bytes were changed after the build.
    AppendedHash {
        /// The stored hash.
        found: Digest,
        /// The computed hash.
        expected: Digest,
    },
    /// A Secure Boot signature block is of other bytes, or damaged; sign the image anew.
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
    /// The stable code a client may match on.
    pub fn code(&self) -> &'static str {
        use ImageError::*;
        match self {
            NotEspImage { .. } => "not_esp_image",
            Empty => "image_empty",
            IsElf => "image_is_elf",
            IsUf2 => "image_is_uf2",
            IsCompressed { .. } => "image_is_compressed",
            IsHex => "image_is_hex",
            IsPartitionTable => "image_is_partition_table",
            IsErased => "image_is_erased",
            IsBootloader => "image_is_bootloader",
            IsFactoryImage => "image_is_factory",
            Truncated { .. } => "image_truncated",
            SegmentOverrun { .. } => "image_segment_overrun",
            NoSegments => "image_no_segments",
            TooManySegments { .. } => "image_too_many_segments",
            SegmentLength { .. } => "image_segment_length",
            Checksum { .. } => "image_checksum_wrong",
            AppendedHash { .. } => "image_hash_wrong",
            SignatureBlock { .. } => "image_signature",
            Trailing { .. } => "image_trailing",
            UnknownChip { .. } => "unknown_chip",
            WrongChip { .. } => "wrong_chip",
            WrongRevision { .. } => "wrong_revision",
            TooLarge { .. } => "image_too_large",
            FlashTooSmall { .. } => "flash_too_small",
        }
    }

    /// The number a device reports when it refuses an image for this.
    pub fn reason(&self) -> Reason {
        match self {
            ImageError::WrongChip { .. }
            | ImageError::UnknownChip { .. }
            | ImageError::FlashTooSmall { .. } => Reason::WrongChip,
            ImageError::WrongRevision { .. } => Reason::WrongRevision,
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
