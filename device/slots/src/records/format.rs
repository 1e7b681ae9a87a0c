//! Layout version 1 of a records partition.
//!
//! Every sector begins with a 32-byte header, and records follow at multiples
//! of 32 bytes: a 32-byte header, then the value padded with erased bytes.
//! 32 is the largest write unit of the ESP32 family, so a partition stays
//! readable when a product turns flash encryption on. Words are little-endian.
//!
//! | sector header | | record header | |
//! | --- | --- | --- | --- |
//! | 0 | state word | 0 | state word: value, removed, or nothing |
//! | 4 | layout version | 4 | sequence |
//! | 8 | sequence | 8 | sequence of its sector |
//! | 12 | floor: lower sequences are free | 12 | key, 0xFF, length in 16 bits |
//! | 16 | sequence of the first record appended to it | 16 | CRC-32C of the value |
//! | 20 | erased | 20 | CRC-32 of the value, or erased |
//! | 24 | erased | 24 | erased |
//! | 28 | CRC-32C of 0..28 | 28 | CRC-32C of 0..28 |
//!
//! One bit of a header or a value may turn over and is turned back. For a value that takes
//! both its checksums to name the same bit: a torn one is not mistaken for a flipped one.

use embedded_storage::nor_flash::ReadNorFlash;

use super::{INDEX_KEYS, MAX_VALUE_BYTES};
use crate::FlashError;
use crate::crc::ValueCheck;
use crate::flash::UNIT_BYTES;
use crate::sealed::{self, Sealed, put, seal, word};

/// Everything begins at a multiple of this many bytes.
pub(super) const UNIT: u32 = UNIT_BYTES as u32;
/// Where records end in a sector. The unit behind is kept for one that proves its header.
pub(super) const END: u32 = crate::SECTOR_BYTES - UNIT;
/// Length of a record header in bytes.
pub(super) const RECORD_HEADER_BYTES: u32 = UNIT;
/// The version this code reads and writes.
const LAYOUT_VERSION: u32 = 1;

/// State words differ from each other, from erased and from zero in at least
/// 8 bits: a torn or flipped word is never another state.
const SECTOR_WORD: u32 = 0x3C5A_A5C3;
const VALUE_WORD: u32 = 0x5533_CC96;
const REMOVED_WORD: u32 = 0x96C3_3355;
const NOTHING_WORD: u32 = 0x0F0F_0F0F;

/// Header of a sector that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SectorHeader {
    /// Rises by one with every sector opened.
    pub(super) sequence: u32,
    /// Sectors with a lower sequence hold nothing current.
    pub(super) floor: u32,
    /// Records in it with a lower sequence are copies.
    pub(super) next_record: u32,
}

/// What the start of a sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectorFound {
    /// In use, or used once and free since.
    Known(SectorHeader),
    /// Written in a later layout; only its sequence is known.
    Newer { sequence: u32 },
    /// Blank, torn, or never a sector of ours.
    Nothing,
}

impl SectorHeader {
    pub(super) fn to_bytes(self) -> Sealed {
        let mut bytes = [0xFF; UNIT_BYTES];
        put(&mut bytes, 0, SECTOR_WORD);
        put(&mut bytes, 4, LAYOUT_VERSION);
        put(&mut bytes, 8, self.sequence);
        put(&mut bytes, 12, self.floor);
        put(&mut bytes, 16, self.next_record);
        seal(&mut bytes);
        bytes
    }

    pub(super) fn read<F: ReadNorFlash>(
        flash: &mut F,
        offset: u32,
    ) -> Result<SectorFound, FlashError> {
        let Some(bytes) = sealed::read(flash, offset, &[SECTOR_WORD])? else {
            return Ok(SectorFound::Nothing);
        };
        let sequence = word(&bytes, 8);
        Ok(match word(&bytes, 4) {
            LAYOUT_VERSION => SectorFound::Known(SectorHeader {
                sequence,
                floor: word(&bytes, 12),
                next_record: word(&bytes, 16),
            }),
            version if version > LAYOUT_VERSION => SectorFound::Newer { sequence },
            _ => SectorFound::Nothing,
        })
    }
}

/// What a record does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    Value,
    Removed,
    /// Nothing: it is there, and so its sector counts.
    Nothing,
}

/// Header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: RecordKind,
    /// Rises with every record written; a copy keeps its own.
    pub(super) sequence: u32,
    /// Sequence of the sector it was written to: a leftover of an earlier life
    /// of that sector does not match.
    pub(super) sector_sequence: u32,
    pub(super) key: u8,
    pub(super) len_bytes: u16,
    pub(super) check: ValueCheck,
}

impl RecordHeader {
    /// Flash a value of that length takes, header and padding included, in bytes.
    pub(super) fn footprint(len_bytes: usize) -> u32 {
        RECORD_HEADER_BYTES + len_bytes.next_multiple_of(UNIT_BYTES) as u32
    }

    pub(super) fn footprint_bytes(&self) -> u32 {
        RecordHeader::footprint(usize::from(self.len_bytes))
    }

    pub(super) fn to_bytes(self) -> Sealed {
        let mut bytes = [0xFF; UNIT_BYTES];
        let state = match self.kind {
            RecordKind::Value => VALUE_WORD,
            RecordKind::Removed => REMOVED_WORD,
            RecordKind::Nothing => NOTHING_WORD,
        };
        put(&mut bytes, 0, state);
        put(&mut bytes, 4, self.sequence);
        put(&mut bytes, 8, self.sector_sequence);
        bytes[12] = self.key;
        bytes[14..16].copy_from_slice(&self.len_bytes.to_le_bytes());
        put(&mut bytes, 16, self.check.crc);
        put(&mut bytes, 20, self.check.second);
        seal(&mut bytes);
        bytes
    }

    /// `None` unless a header with its checksum is there.
    pub(super) fn read<F: ReadNorFlash>(
        flash: &mut F,
        offset: u32,
    ) -> Result<Option<RecordHeader>, FlashError> {
        let words = [VALUE_WORD, REMOVED_WORD, NOTHING_WORD];
        let Some(bytes) = sealed::read(flash, offset, &words)? else {
            return Ok(None);
        };
        let kind = match word(&bytes, 0) {
            VALUE_WORD => RecordKind::Value,
            REMOVED_WORD => RecordKind::Removed,
            NOTHING_WORD => RecordKind::Nothing,
            _ => return Ok(None),
        };
        let header = RecordHeader {
            kind,
            sequence: word(&bytes, 4),
            sector_sequence: word(&bytes, 8),
            key: bytes[12],
            len_bytes: u16::from_le_bytes([bytes[14], bytes[15]]),
            check: ValueCheck { crc: word(&bytes, 16), second: word(&bytes, 20) },
        };
        let in_bounds = usize::from(header.key) < INDEX_KEYS
            && usize::from(header.len_bytes) <= MAX_VALUE_BYTES;
        Ok(in_bounds.then_some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_words_are_far_apart() {
        let words = [SECTOR_WORD, VALUE_WORD, REMOVED_WORD, NOTHING_WORD, u32::MAX, 0];
        for (index, first) in words.iter().enumerate() {
            for second in &words[index + 1..] {
                let distance = (first ^ second).count_ones();
                assert!(distance >= 8, "{first:#x} and {second:#x} differ in {distance} bits");
            }
        }
    }

    #[test]
    fn longest_value_fits_a_sector() {
        let room = END - UNIT;
        assert!(RecordHeader::footprint(MAX_VALUE_BYTES) <= room);
    }
}
