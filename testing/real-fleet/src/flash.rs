//! What a device can boot, read from its flash file.
//!
//! Written from ESP-IDF's description of the partition table and of `otadata`,
//! and from nothing in `device/`.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

const TABLE_OFFSET: usize = 0x8000;
const TABLE_BYTES: usize = 0xC00;
const ENTRY_BYTES: usize = 32;
const ENTRY_MAGIC: [u8; 2] = [0xAA, 0x50];
const SECTOR_BYTES: usize = 0x1000;

/// States of an `otadata` entry.
const NEW: u32 = 0;
const PENDING_VERIFY: u32 = 1;
const INVALID: u32 = 3;
const ABORTED: u32 = 4;

/// A slot and what it holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The slot's bytes, from its first to the end of the partition.
    pub slot_bytes: Vec<u8>,
    /// Which slot: 0 or 1.
    pub slot: usize,
}

impl Firmware {
    /// Whether the slot holds this image from its first byte to its last.
    pub fn is(&self, image: &[u8]) -> bool {
        self.slot_bytes.starts_with(image)
    }
}

/// What the boot selector can choose.
#[derive(Debug, PartialEq, Eq)]
pub struct Choices {
    /// What boots when no trial is armed, or after the bootloader gave it up: which it does
    /// before it chooses, with a trial that was under way when power went.
    pub stays: Firmware,
    /// The image whose trial is armed or was under way.
    pub on_trial: Option<Firmware>,
}

impl Choices {
    /// Fails when a slot that may be chosen holds nothing that `is_whole` knows.
    pub fn check(&self, is_whole: impl Fn(&Firmware) -> bool) -> Result<()> {
        for (name, firmware) in [("fallback", Some(&self.stays)), ("trial", self.on_trial.as_ref())]
        {
            if let Some(firmware) = firmware {
                ensure!(is_whole(firmware), "{name} slot {} holds no known image", firmware.slot);
            }
        }
        Ok(())
    }
}

struct Partition {
    kind: u8,
    subtype: u8,
    offset: usize,
    size: usize,
}

/// Reads the flash file and says what can run from it.
pub fn choices(flash_file: &Path) -> Result<Choices> {
    let flash = std::fs::read(flash_file)
        .with_context(|| format!("could not read {}", flash_file.display()))?;
    choices_in(&flash)
}

fn choices_in(flash: &[u8]) -> Result<Choices> {
    let partitions = partitions(flash)?;
    let find = |kind: u8, subtype: u8| {
        partitions.iter().find(|found| found.kind == kind && found.subtype == subtype)
    };
    let slots: Vec<&Partition> = (0x10..0x20).map_while(|subtype| find(0, subtype)).collect();
    ensure!(!slots.is_empty(), "the partition table has no slot");
    let otadata = find(1, 0).context("the partition table has no otadata")?;
    ensure!(find(0, 0).is_none(), "a factory partition is not expected here");

    let entries: Vec<Entry> = (0..2)
        .filter_map(|nth| {
            let start = otadata.offset + nth * SECTOR_BYTES;
            Entry::read(flash.get(start..start + ENTRY_BYTES)?)
        })
        .collect();
    let firmware = |entry: Option<&Entry>| -> Result<Firmware> {
        let slot = entry.map_or(0, |entry| (entry.sequence as usize - 1) % slots.len());
        let Partition { offset, size, .. } = *slots[slot];
        let bytes = flash.get(offset..offset + size).context("the slot is past the end")?;
        Ok(Firmware { slot_bytes: bytes.to_vec(), slot })
    };
    // On a tie the bootloader takes the first entry.
    let active = entries.iter().rev().max_by_key(|entry| entry.sequence);
    let stays = entries.iter().rev().filter(|entry| !entry.is_trial());
    Ok(Choices {
        stays: firmware(stays.max_by_key(|entry| entry.sequence))?,
        on_trial: active
            .filter(|entry| entry.is_trial())
            .map(|entry| firmware(Some(entry)))
            .transpose()?,
    })
}

fn partitions(flash: &[u8]) -> Result<Vec<Partition>> {
    let table =
        flash.get(TABLE_OFFSET..TABLE_OFFSET + TABLE_BYTES).context("the flash is too small")?;
    let found: Vec<Partition> = table
        .chunks_exact(ENTRY_BYTES)
        .take_while(|entry| entry.starts_with(&ENTRY_MAGIC))
        .map(|entry| Partition {
            kind: entry[2],
            subtype: entry[3],
            offset: word(&entry[4..8]) as usize,
            size: word(&entry[8..12]) as usize,
        })
        .collect();
    if found.is_empty() {
        bail!("there is no partition table");
    }
    Ok(found)
}

/// An entry that the bootloader would consider.
struct Entry {
    sequence: u32,
    state: u32,
}

impl Entry {
    fn is_trial(&self) -> bool {
        [NEW, PENDING_VERIFY].contains(&self.state)
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        let (sequence, state, crc) =
            (word(&bytes[..4]), word(&bytes[24..28]), word(&bytes[28..32]));
        let is_blank = sequence == u32::MAX || sequence == 0;
        let is_given_up = [INVALID, ABORTED].contains(&state);
        (!is_blank && !is_given_up && crc == sequence_crc(sequence))
            .then_some(Entry { sequence, state })
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// CRC-32 (reflected, 0xEDB88320) of the sequence number, register starting at zero.
fn sequence_crc(sequence: u32) -> u32 {
    let register = (0..32).fold(sequence, |register, _| {
        if register & 1 == 1 { (register >> 1) ^ 0xEDB8_8320 } else { register >> 1 }
    });
    !register
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both vectors are bytes ESP-IDF's own tool writes.
    #[test]
    fn crc_is_the_bootloaders() {
        assert_eq!(sequence_crc(1).to_le_bytes(), [0x9A, 0x98, 0x43, 0x47]);
        assert_eq!(sequence_crc(2).to_le_bytes(), [0x74, 0x37, 0xF6, 0x55]);
    }

    const SLOT_BYTES: u32 = 0x1_0000;
    const OTADATA: usize = 0x9000;

    /// A chip with two small slots whose bytes are 1 and 2, and no otadata yet.
    fn chip() -> Vec<u8> {
        let mut flash = vec![0xFF; 0x5_0000];
        let partitions = [
            (1_u8, 0_u8, OTADATA as u32, 0x2000_u32),
            (0, 0x10, 0x2_0000, SLOT_BYTES),
            (0, 0x11, 0x3_0000, SLOT_BYTES),
        ];
        for (nth, (kind, subtype, offset, size)) in partitions.into_iter().enumerate() {
            let at = TABLE_OFFSET + nth * ENTRY_BYTES;
            flash[at..at + 4].copy_from_slice(&[0xAA, 0x50, kind, subtype]);
            flash[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            flash[at + 8..at + 12].copy_from_slice(&size.to_le_bytes());
        }
        flash[0x2_0000..0x3_0000].fill(1);
        flash[0x3_0000..0x4_0000].fill(2);
        flash
    }

    fn entry(flash: &mut [u8], nth: usize, sequence: u32, state: u32) {
        let at = OTADATA + nth * SECTOR_BYTES;
        flash[at..at + 4].copy_from_slice(&sequence.to_le_bytes());
        flash[at + 24..at + 28].copy_from_slice(&state.to_le_bytes());
        flash[at + 28..at + 32].copy_from_slice(&sequence_crc(sequence).to_le_bytes());
    }

    fn look(flash: &[u8]) -> Choices {
        choices_in(flash).expect("the table is whole")
    }

    #[test]
    fn blank_otadata_boots_the_first_slot() {
        let found = look(&chip());
        assert_eq!((found.stays.slot, found.stays.is(&[1, 1]), found.on_trial), (0, true, None));
    }

    #[test]
    fn newest_entry_wins_unless_on_trial_or_given_up() {
        let mut flash = chip();
        entry(&mut flash, 0, 1, 2);
        entry(&mut flash, 1, 2, 2);
        assert_eq!(look(&flash).stays.slot, 1);
        for state in [NEW, PENDING_VERIFY] {
            entry(&mut flash, 1, 2, state);
            let found = look(&flash);
            assert_eq!(found.stays.slot, 0);
            let trial = found.on_trial.expect("a trial");
            assert_eq!((trial.slot, trial.is(&[2])), (1, true));
        }
        entry(&mut flash, 1, 2, ABORTED);
        let old = look(&flash);
        assert_eq!((old.stays.slot, old.on_trial), (0, None));
    }

    /// The judge is judged: power lost in a trial boots the other slot.
    #[test]
    fn damaged_fallback_beside_a_trial_is_noticed() {
        let mut flash = chip();
        entry(&mut flash, 0, 1, 2);
        entry(&mut flash, 1, 2, PENDING_VERIFY);
        let images = [[1_u8; 100], [2; 100]];
        let is_whole = |found: &Firmware| images.iter().any(|image| found.is(image));
        look(&flash).check(is_whole).expect("both images are whole");
        flash[0x2_0000 + 50] = 0;
        let error = look(&flash).check(is_whole).expect_err("the old image is damaged");
        assert_eq!(error.to_string(), "fallback slot 0 holds no known image");
    }

    #[test]
    fn entry_with_a_wrong_checksum_does_not_count() {
        let mut flash = chip();
        entry(&mut flash, 0, 2, 2);
        flash[OTADATA + 28] ^= 1;
        assert_eq!(look(&flash).stays.slot, 0);
    }

    #[test]
    fn blank_chip_is_refused() {
        let error = choices_in(&vec![0xFF; 0x5_0000]).expect_err("no table");
        assert_eq!(error.to_string(), "there is no partition table");
    }
}
