use core::fmt;

use super::bytes::{u16_at, u32_at};

/// A file that is no ESP-IDF application image, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// No bytes at all.
    Empty,
    /// The linker's output, before `esptool elf2image`.
    Elf,
    /// A USB mass-storage flashing file.
    Uf2,
    /// gzip data.
    Gzip,
    /// A zip archive.
    Zip,
    /// zstd data.
    Zstd,
    /// Intel HEX text.
    IntelHex,
    /// An ESP-IDF second-stage bootloader.
    Bootloader,
    /// An ESP-IDF partition table.
    PartitionTable,
    /// Bootloader, partition table and application in one file, for flashing at 0.
    FactoryImage,
    /// Erased flash: nothing but 0xFF at the start.
    Erased,
    /// Begins with a byte that begins no known file.
    Unknown {
        /// The first byte.
        first: u8,
    },
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Empty => "an empty file",
            Foreign::Elf => "an ELF file",
            Foreign::Uf2 => "a UF2 file",
            Foreign::Gzip => "a gzip file",
            Foreign::Zip => "a zip archive",
            Foreign::Zstd => "a zstd file",
            Foreign::IntelHex => "an Intel HEX file",
            Foreign::Bootloader => "an ESP-IDF bootloader",
            Foreign::PartitionTable => "an ESP-IDF partition table",
            Foreign::FactoryImage => "a merged factory image (bootloader, partitions and app)",
            Foreign::Erased => "erased flash (0xff)",
            Foreign::Unknown { first } => {
                return write!(f, "a file that begins with byte 0x{first:02x}");
            }
        })
    }
}

/// Where a partition table lies in a factory image.
const PARTITION_TABLE_AT: usize = 0x8000;
const PARTITION_MAGIC: u16 = 0x50AA;
/// Where the bootloader of an ESP32 or ESP32-S2 lies; 0xFF before it.
const BOOTLOADER_AT: usize = 0x1000;
/// `ESP_BOOTLOADER_DESC_MAGIC_BYTE`, where an application has its descriptor.
const BOOTLOADER_MAGIC: u8 = 0x50;

/// Names a file whose first byte is not the image magic.
pub(super) fn recognise(bytes: &[u8]) -> Foreign {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    match bytes {
        [] => Foreign::Empty,
        _ if starts(b"\x7fELF") => Foreign::Elf,
        _ if starts(b"UF2\n") => Foreign::Uf2,
        _ if starts(&[0x1F, 0x8B]) => Foreign::Gzip,
        _ if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") => Foreign::Zip,
        _ if starts(&[0x28, 0xB5, 0x2F, 0xFD]) => Foreign::Zstd,
        _ if is_intel_hex(bytes) => Foreign::IntelHex,
        _ if u16_at(bytes, 0) == Some(PARTITION_MAGIC) => Foreign::PartitionTable,
        [0xFF, ..] if has_partition_table(bytes) => Foreign::FactoryImage,
        [0xFF, ..] if bytes.get(BOOTLOADER_AT) == Some(&super::MAGIC) => Foreign::FactoryImage,
        [0xFF, ..] => Foreign::Erased,
        [first, ..] => Foreign::Unknown { first: *first },
    }
}

/// Names a file that has the image magic and yet is no application.
pub(super) fn recognise_relative(bytes: &[u8]) -> Option<Foreign> {
    if u32_at(bytes, super::AppDescriptor::OFFSET) == Some(super::AppDescriptor::MAGIC) {
        return None;
    }
    if has_partition_table(bytes) {
        return Some(Foreign::FactoryImage);
    }
    // Bootloaders before ESP-IDF 5.2 have no descriptor, but all of them end before the
    // partition table, which no application is small enough to do.
    let has_descriptor = bytes.get(32..35) == Some(&[BOOTLOADER_MAGIC, 0, 0][..]);
    let is_small = (0x400..PARTITION_TABLE_AT).contains(&bytes.len());
    (has_descriptor || is_small).then_some(Foreign::Bootloader)
}

fn has_partition_table(bytes: &[u8]) -> bool {
    u16_at(bytes, PARTITION_TABLE_AT) == Some(PARTITION_MAGIC)
}

fn is_intel_hex(bytes: &[u8]) -> bool {
    bytes.len() > 10 && bytes[0] == b':' && bytes[1..9].iter().all(u8::is_ascii_hexdigit)
}
