//! The ESP-IDF partition table: parse and build.
//!
//! 32-byte little-endian rows at [`TABLE_OFFSET`]: magic `AA 50`, type,
//! subtype, offset, size, label, flags; then one `EB EB` row with the MD5 of
//! the rows before it; then erased bytes. (ESP-IDF, `gen_esp32part.py`.)

use core::fmt;

use crate::md5::md5;

/// Where the table begins on the chip.
pub const TABLE_OFFSET: u32 = 0x8000;
/// Length of the table in bytes.
pub const TABLE_BYTES: usize = 0xC00;
/// Partitions that fit beside the MD5 row.
pub const MAX_PARTITIONS: usize = TABLE_BYTES / ROW_BYTES - 1;

const ROW_BYTES: usize = 32;
const PARTITION_MAGIC: [u8; 2] = [0xAA, 0x50];
const MD5_MAGIC: [u8; 16] = [
    0xEB, 0xEB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
];

/// Partition types and subtypes this crate knows by name.
pub mod kind {
    /// Type of images that can run.
    pub const APP: u8 = 0;
    /// Type of everything else.
    pub const DATA: u8 = 1;
    /// App subtype of the image flashed at the factory.
    pub const APP_FACTORY: u8 = 0x00;
    /// App subtype of the first slot; the n-th is this plus n, up to 15.
    pub const APP_OTA_0: u8 = 0x10;
    /// Data subtype of the boot selector.
    pub const DATA_OTA: u8 = 0x00;
    /// Data subtype of radio calibration.
    pub const DATA_PHY: u8 = 0x01;
    /// Data subtype of ESP-IDF's key-value storage.
    pub const DATA_NVS: u8 = 0x02;
    /// Data subtype of storage in a format ESP-IDF does not know.
    pub const DATA_UNDEFINED: u8 = 0x06;
}

/// A partition's name: at most 16 bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label([u8; 16]);

impl Label {
    /// A label from text; `None` when it is longer than 16 bytes.
    pub fn new(text: &str) -> Option<Label> {
        let mut bytes = [0; 16];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Label(bytes))
    }

    /// The label without its padding. Not always UTF-8: it is outside input.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Type: [`kind::APP`], [`kind::DATA`] or another.
    pub kind: u8,
    /// Subtype within the type.
    pub subtype: u8,
    /// First byte, from the start of the chip.
    pub offset: u32,
    /// Length in bytes.
    pub size: u32,
    /// Name.
    pub label: Label,
    /// Bit 0 encrypted, bit 1 read-only.
    pub flags: u32,
}

impl Partition {
    fn from_row(row: &[u8; ROW_BYTES]) -> Partition {
        let word = |at: usize| u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]);
        let mut label = [0; 16];
        label.copy_from_slice(&row[12..28]);
        Partition {
            kind: row[2],
            subtype: row[3],
            offset: word(4),
            size: word(8),
            label: Label(label),
            flags: word(28),
        }
    }

    fn to_row(self) -> [u8; ROW_BYTES] {
        let mut row = [0; ROW_BYTES];
        row[..2].copy_from_slice(&PARTITION_MAGIC);
        row[2] = self.kind;
        row[3] = self.subtype;
        row[4..8].copy_from_slice(&self.offset.to_le_bytes());
        row[8..12].copy_from_slice(&self.size.to_le_bytes());
        row[12..28].copy_from_slice(&self.label.0);
        row[28..].copy_from_slice(&self.flags.to_le_bytes());
        row
    }
}

/// What the table must have exactly one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// App partition `ota_0`.
    Ota0,
    /// App partition `ota_1`.
    Ota1,
    /// The boot selector.
    OtaData,
    /// Otaru's own storage.
    Otaru,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Ota0 => "ota_0",
            Role::Ota1 => "ota_1",
            Role::OtaData => "otadata",
            Role::Otaru => "otaru",
        })
    }
}

/// Why a partition table cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Flash failed.
    #[error(transparent)]
    Flash(#[from] crate::FlashError),
    /// A row begins with neither a partition's nor the MD5's magic.
    #[error("row {row} of the partition table begins with {found:02x?}, expected aa 50")]
    RowMagic {
        /// Row number, from 0.
        row: usize,
        /// Its first two bytes.
        found: [u8; 2],
    },
    /// The table ends inside a row, or without an erased row.
    #[error("partition table of {found} bytes has no end")]
    NoEnd {
        /// Length in bytes.
        found: usize,
    },
    /// The rows do not have the MD5 written behind them.
    #[error("partition table does not have its MD5")]
    Md5,
    /// More partitions than fit.
    #[error("{found} partitions, at most {MAX_PARTITIONS} fit")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A needed partition is not there.
    #[error("partition {0} is missing")]
    Missing(Role),
    /// Two partitions claim the same role.
    #[error("partition {0} is there twice")]
    Twice(Role),
    /// More slots than the two Otaru uses.
    #[error("partition table has app slot ota_{found}, expected only ota_0 and ota_1")]
    ExtraSlot {
        /// The slot's number.
        found: u8,
    },
    /// A partition has a length or an offset it may not have.
    #[error("partition {role} at {offset:#x} with {size:#x} bytes: wrong alignment or length")]
    Shape {
        /// Which partition.
        role: Role,
        /// First byte.
        offset: u32,
        /// Length in bytes.
        size: u32,
    },
    /// A partition reaches past the end of the chip.
    #[error("partition {role} ends at {end:#x}, the chip at {flash_bytes:#x}")]
    PastEnd {
        /// Which partition.
        role: Role,
        /// First byte after it.
        end: u32,
        /// Length of the chip in bytes.
        flash_bytes: u32,
    },
    /// A partition shares bytes with another.
    #[error("partition {role} overlaps the partition at {other:#x}")]
    Overlap {
        /// Which partition.
        role: Role,
        /// First byte of the other.
        other: u32,
    },
}

/// A table whose rows and MD5 were checked.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    rows: &'a [[u8; ROW_BYTES]],
}

impl<'a> Table<'a> {
    /// Checks every row up to the erased one.
    ///
    /// A table without an MD5 row is accepted: old tools wrote none.
    pub fn parse(bytes: &'a [u8]) -> Result<Table<'a>, TableError> {
        let (rows, _) = bytes.as_chunks::<ROW_BYTES>();
        let no_end = TableError::NoEnd { found: bytes.len() };
        let mut count = 0;
        loop {
            let row = rows.get(count).ok_or(no_end)?;
            if row[..2] == PARTITION_MAGIC {
                count += 1;
                if count > MAX_PARTITIONS {
                    return Err(TableError::TooMany { found: count });
                }
            } else if row[..16] == MD5_MAGIC {
                return if row[16..] == md5(rows[..count].as_flattened()) {
                    Ok(Table { rows: &rows[..count] })
                } else {
                    Err(TableError::Md5)
                };
            } else if row.iter().all(|&byte| byte == 0xFF) {
                return Ok(Table { rows: &rows[..count] });
            } else {
                return Err(TableError::RowMagic { row: count, found: [row[0], row[1]] });
            }
        }
    }

    /// The partitions in table order.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + Clone + use<'a> {
        self.rows.iter().map(Partition::from_row)
    }
}

/// Writes the rows, their MD5 and erased bytes over all of `table`.
///
/// Errors: [`TableError::TooMany`].
pub fn build(partitions: &[Partition], table: &mut [u8; TABLE_BYTES]) -> Result<(), TableError> {
    // One row less than parse accepts: the MD5 row and an erased row follow.
    if partitions.len() >= MAX_PARTITIONS {
        return Err(TableError::TooMany { found: partitions.len() });
    }
    table.fill(0xFF);
    let (rows, _) = table.as_chunks_mut::<ROW_BYTES>();
    for (row, partition) in rows.iter_mut().zip(partitions) {
        *row = partition.to_row();
    }
    let md5 = md5(rows[..partitions.len()].as_flattened());
    let row = &mut rows[partitions.len()];
    row[..16].copy_from_slice(&MD5_MAGIC);
    row[16..].copy_from_slice(&md5);
    Ok(())
}
