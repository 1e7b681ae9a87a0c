//! Partition table and boot selector of ESP-IDF, read from raw bytes: what would boot.

use super::marks::with_marks;
use super::{Raw, sequence_crc, word};
use crate::life::Loader;

const TABLE_OFFSET: u32 = 0x8000;
const SECTOR_BYTES: u32 = 0x1000;
pub(super) const NEW: u32 = 0;
pub(super) const PENDING: u32 = 1;
pub(super) const VALID: u32 = 2;
pub(super) const INVALID: u32 = 3;
pub(super) const ABORTED: u32 = 4;

/// Where the table says things are: offset and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// The selector.
    pub otadata: (u32, u32),
    /// Both slots.
    pub slots: [(u32, u32); 2],
    /// The device's records.
    pub otaru: (u32, u32),
}

impl Partitions {
    /// Reads the table; `None` when something is missing from it.
    pub fn read(chip: &impl Raw) -> Option<Partitions> {
        let table = chip.dump(TABLE_OFFSET, 0xC00);
        let rows = || table.chunks_exact(32).take_while(|row| row.starts_with(&[0xAA, 0x50]));
        let find = |wanted: &dyn Fn(&[u8]) -> bool| {
            rows().find(|row| wanted(row)).map(|row| (word(row, 4), word(row, 8)))
        };
        Some(Partitions {
            otadata: find(&|row| row[2..4] == [1, 0])?,
            slots: [find(&|row| row[2..4] == [0, 0x10])?, find(&|row| row[2..4] == [0, 0x11])?],
            otaru: find(&|row| row[2] == 1 && row[12..].starts_with(b"otaru\0"))?,
        })
    }
}

/// One of the selector's two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySeen {
    /// Its sequence.
    pub sequence: u32,
    /// Its state word.
    pub state: u32,
    /// Whether the checksum is the sequence's.
    pub crc_holds: bool,
    /// Tries that a bootloader of ours began.
    pub tries: u8,
}

impl EntrySeen {
    /// Erased or given up; the checksum is not looked at.
    fn is_out(&self) -> bool {
        self.sequence == u32::MAX || self.state == INVALID || self.state == ABORTED
    }

    /// Whether the bootloader may choose by it.
    pub fn counts(&self) -> bool {
        !self.is_out() && self.crc_holds
    }

    /// The slot it names.
    pub fn slot(&self) -> usize {
        (self.sequence.wrapping_sub(1) % 2) as usize
    }

    /// Whether the image it names is on trial: armed, or booted and not confirmed.
    pub fn is_trial(&self) -> bool {
        self.counts() && (self.state == NEW || self.state == PENDING)
    }

    /// Whether a restart would start the image it names on trial.
    pub fn is_armed(&self) -> bool {
        self.is_trial() && self.tries < 3
    }

    /// Whether the image it names is confirmed.
    pub fn is_confirmed(&self) -> bool {
        self.counts() && self.state == VALID
    }
}

/// Both entries, as that bootloader understands them.
pub fn entries(chip: &impl Raw, partitions: &Partitions, loader: Loader) -> [EntrySeen; 2] {
    [0, 1].map(|nth| {
        let bytes = chip.dump(partitions.otadata.0 + nth * SECTOR_BYTES, 352);
        let sequence = word(&bytes, 0);
        let entry = EntrySeen {
            sequence,
            state: word(&bytes, 24),
            crc_holds: word(&bytes, 28) == sequence_crc(sequence),
            tries: 0,
        };
        match loader {
            Loader::EspIdf => entry,
            Loader::Otaru => with_marks(entry, &bytes),
        }
    })
}

/// What the bootloader does at the next reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The slot it starts; `None` is a brick.
    pub slot: Option<usize>,
    /// Whether this boot is the slot's trial.
    pub is_trial: bool,
}

/// Chooses as a bootloader of ours does: it starts what is confirmed, or on trial with tries left.
pub fn choose_ours(entries: [EntrySeen; 2], is_whole: impl Fn(usize) -> bool) -> Chosen {
    let mut found: Vec<&EntrySeen> = entries.iter().filter(|entry| entry.counts()).collect();
    found.sort_by_key(|entry| std::cmp::Reverse(entry.sequence));
    for entry in found {
        let is_trial = !entry.is_confirmed() && entry.state != u32::MAX;
        if is_whole(entry.slot()) && (!is_trial || entry.tries < 3) {
            return Chosen { slot: Some(entry.slot()), is_trial };
        }
    }
    let names = |slot: usize| {
        entries
            .iter()
            .any(|entry| entry.crc_holds && entry.sequence != u32::MAX && entry.slot() == slot)
    };
    let mut slots = [0, 1];
    slots.sort_by_key(|&slot| names(slot));
    Chosen { slot: slots.into_iter().find(|&slot| is_whole(slot)), is_trial: false }
}

/// Chooses as the bootloader with rollback does. `is_whole` says whether a slot holds an
/// image it would start.
pub fn choose(entries: [EntrySeen; 2], is_whole: impl Fn(usize) -> bool) -> Chosen {
    let settled = entries.map(|entry| match entry.state {
        PENDING => EntrySeen { state: ABORTED, ..entry },
        _ => entry,
    });
    let [first, second] = settled;
    let active = match (first.counts(), second.counts()) {
        (true, true) if second.sequence > first.sequence => Some(second),
        (true, _) => Some(first),
        (false, true) => Some(second),
        (false, false) => None,
    };
    let wanted = active.map_or(0, |entry| entry.slot());
    let order = [wanted, 1 - wanted];
    let slot = order.into_iter().find(|&slot| is_whole(slot));
    let is_trial = active.is_some_and(|entry| entry.state == NEW) && slot == Some(wanted);
    Chosen { slot, is_trial }
}
