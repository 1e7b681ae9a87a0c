//! What a refusal says to people: what was found, and what to send instead.

use alloc::format;
use alloc::string::{String, ToString};

use super::ImageError;
use crate::image::Chip;

impl ImageError {
    /// What the image was found to be, for people.
    pub fn found(&self) -> String {
        use ImageError::*;
        match self {
            NotEspImage { first } => format!("a file that begins with byte 0x{first:02x}"),
            Empty => "an empty file".to_string(),
            IsElf => "an ELF file".to_string(),
            IsUf2 => "a UF2 file".to_string(),
            IsCompressed { format } => format!("a {format} file"),
            IsHex => "an Intel HEX file".to_string(),
            IsPartitionTable => "an ESP-IDF partition table".to_string(),
            IsErased => "erased flash (0xff)".to_string(),
            IsBootloader => "an ESP-IDF bootloader".to_string(),
            IsFactoryImage => "a merged factory image (bootloader, partitions and app)".to_string(),
            Truncated { size_bytes, .. } => format!("{size_bytes} bytes"),
            SegmentOverrun { segment, size_bytes, .. } => {
                format!("a file of {size_bytes} bytes that ends within segment {segment}")
            }
            NoSegments => "no segments".to_string(),
            TooManySegments { found } => format!("{found} segments"),
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

    /// What it should have been, for people: how to get it, where that is known.
    pub fn expected(&self) -> String {
        use ImageError::*;
        match self {
            NotEspImage { .. } | Empty => {
                "an ESP-IDF application image (first byte 0xe9)".to_string()
            }
            IsElf => "the image that `esptool elf2image` or `espflash save-image` makes of it"
                .to_string(),
            IsUf2 | IsHex => "the `.bin` of the same build".to_string(),
            IsCompressed { .. } => "the image itself, unpacked".to_string(),
            IsErased => {
                "the application's `.bin`, or flash read from the application's offset".to_string()
            }
            IsPartitionTable | IsBootloader | IsFactoryImage => {
                "the application image alone, as `idf.py build` names it for flashing".to_string()
            }
            Truncated { needed_bytes, .. } => format!("at least {needed_bytes} bytes"),
            SegmentOverrun { needed_bytes, .. } => {
                format!("at least {needed_bytes} bytes, where the segment ends")
            }
            NoSegments | TooManySegments { .. } => "1 to 16 segments".to_string(),
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
}
