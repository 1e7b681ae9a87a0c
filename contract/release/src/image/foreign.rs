//! Files that are no ESP-IDF application image, as far as their bytes tell.

use super::ImageError;
use super::bytes::{u16_at, u32_at};

/// Where a partition table lies in a factory image.
const PARTITION_TABLE_AT: usize = 0x8000;
const PARTITION_MAGIC: u16 = 0x50AA;
/// Where the bootloader of an ESP32 or ESP32-S2 lies; 0xFF before it.
const BOOTLOADER_AT: usize = 0x1000;
/// `ESP_BOOTLOADER_DESC_MAGIC_BYTE`, where an application has its descriptor.
const BOOTLOADER_MAGIC: u8 = 0x50;

/// Names a file whose first byte is not the image magic.
pub(super) fn recognise(bytes: &[u8]) -> ImageError {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let compressed = |format| ImageError::IsCompressed { format };
    match bytes {
        [] => ImageError::Empty,
        _ if starts(b"\x7fELF") => ImageError::IsElf,
        _ if starts(b"UF2\n") => ImageError::IsUf2,
        _ if starts(&[0x1F, 0x8B]) => compressed("gzip"),
        _ if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") => compressed("zip"),
        _ if starts(&[0x28, 0xB5, 0x2F, 0xFD]) => compressed("zstd"),
        _ if is_intel_hex(bytes) => ImageError::IsHex,
        _ if u16_at(bytes, 0) == Some(PARTITION_MAGIC) => ImageError::IsPartitionTable,
        [0xFF, ..] if has_partition_table(bytes) => ImageError::IsFactoryImage,
        [0xFF, ..] if bytes.get(BOOTLOADER_AT) == Some(&super::MAGIC) => ImageError::IsFactoryImage,
        [0xFF, ..] => ImageError::IsErased,
        [first, ..] => ImageError::NotEspImage { first: *first },
    }
}

/// Names a file that has the image magic and yet is no application.
pub(super) fn recognise_relative(bytes: &[u8]) -> Option<ImageError> {
    if u32_at(bytes, super::AppDescriptor::OFFSET) == Some(super::AppDescriptor::MAGIC) {
        return None;
    }
    if has_partition_table(bytes) {
        return Some(ImageError::IsFactoryImage);
    }
    // Bootloaders before ESP-IDF 5.2 have no descriptor, but all of them end before the
    // partition table, which no application is small enough to do.
    let has_descriptor = bytes.get(32..35) == Some(&[BOOTLOADER_MAGIC, 0, 0][..]);
    let is_small = (0x400..PARTITION_TABLE_AT).contains(&bytes.len());
    (has_descriptor || is_small).then_some(ImageError::IsBootloader)
}

fn has_partition_table(bytes: &[u8]) -> bool {
    u16_at(bytes, PARTITION_TABLE_AT) == Some(PARTITION_MAGIC)
}

fn is_intel_hex(bytes: &[u8]) -> bool {
    bytes.len() > 10 && bytes[0] == b':' && bytes[1..9].iter().all(u8::is_ascii_hexdigit)
}
