//! The records partition, read from raw bytes: layout version 1.
//!
//! | sector header | | record header | |
//! | --- | --- | --- | --- |
//! | 0 | 0x3C5AA5C3 | 0 | 0x5533CC96 value, 0x96C33355 removed |
//! | 4 | 1 | 4 | sequence |
//! | 8 | sequence | 8 | sequence of its sector |
//! | 12 | floor | 12 | key, 0xFF, length in 16 bits |
//! | 28 | CRC-32C of 0..28 | 16 | CRC-32C of the value |
//! | | | 20 | CRC-32 of the value, or 0xFFFFFFFF |
//! | | | 28 | CRC-32C of 0..28 |
//!
//! One bit that turned over in a header or a value is turned back.

use std::collections::BTreeMap;

use super::checksum::mended;
use super::{Partitions, Raw, crc32c, word};

const SECTOR_BYTES: usize = 0x1000;
const SECTOR_WORD: u32 = 0x3C5A_A5C3;
const VALUE_WORD: u32 = 0x5533_CC96;
const REMOVED_WORD: u32 = 0x96C3_3355;

/// Every intact record of a chip, by key, oldest first: sequence and value.
pub type RecordsSeen = BTreeMap<u8, Vec<(u32, Option<Vec<u8>>)>>;

/// Reads every intact record in sectors that count, and sorts them by age.
///
/// A sector whose header does not hold is no sector, and its records are none.
pub fn newest_records(chip: &impl Raw, partitions: &Partitions) -> RecordsSeen {
    let (offset, length) = partitions.otaru;
    let bytes = chip.dump(offset, length);
    let sectors = || bytes.chunks_exact(SECTOR_BYTES);
    let floor = sectors()
        .filter_map(sector_header)
        .max_by_key(|&(sequence, _)| sequence)
        .map_or(0, |(_, floor)| floor);
    let mut found = RecordsSeen::new();
    for sector in sectors() {
        let Some((sequence, _)) = sector_header(sector).filter(|&(found, _)| found >= floor) else {
            continue;
        };
        let mut at = 32;
        while at + 32 <= SECTOR_BYTES {
            match record(sector, at, sequence) {
                Some((key, age, value, end)) => {
                    found.entry(key).or_default().push((age, value));
                    at = end;
                }
                None => at += 32,
            }
        }
    }
    for records in found.values_mut() {
        records.sort_by_key(|&(age, _)| age);
    }
    found
}

fn sector_header(sector: &[u8]) -> Option<(u32, u32)> {
    let header = sealed(sector.get(..32)?, &[SECTOR_WORD])?;
    (word(&header, 4) == 1).then(|| (word(&header, 8), word(&header, 12)))
}

/// A header as it was written. One bit may have turned over since; more is no header.
pub(super) fn sealed(found: &[u8], states: &[u32]) -> Option<[u8; 32]> {
    let mut bytes: [u8; 32] = found.try_into().ok()?;
    let state = word(&bytes, 0);
    if !states.iter().any(|known| (known ^ state).count_ones() <= 1) {
        return None;
    }
    let holds = |bytes: &[u8; 32]| {
        states.contains(&word(bytes, 0)) && word(bytes, 28) == crc32c(&bytes[..28])
    };
    if holds(&bytes) {
        return Some(bytes);
    }
    for bit in 0..256 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if holds(&bytes) {
            return Some(bytes);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    None
}

type Found = (u8, u32, Option<Vec<u8>>, usize);

fn record(sector: &[u8], at: usize, sector_sequence: u32) -> Option<Found> {
    let header = sealed(&sector[at..at + 32], &[VALUE_WORD, REMOVED_WORD])?;
    if word(&header, 8) != sector_sequence {
        return None;
    }
    let is_removal = word(&header, 0) == REMOVED_WORD;
    let length = usize::from(u16::from_le_bytes([header[14], header[15]]));
    let end = at + 32 + length.next_multiple_of(32);
    let value = sector.get(at + 32..at + 32 + length)?;
    let value = mended(value, word(&header, 16), word(&header, 20))?;
    Some((header[12], word(&header, 4), (!is_removal).then_some(value), end))
}
