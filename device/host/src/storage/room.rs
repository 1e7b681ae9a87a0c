//! What fits: decided before anything is written or makes room, by what is kept already.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::Journal;
use otaru_slots::{MAX_VALUE_BYTES, Records, StorageError};

use super::{JOURNAL, KEPT, Storage};

/// No journal is longer: an attempt, an end and the bad images, each with the longest names.
const JOURNAL_BYTES_MAX: usize = 1024;
const _: () = assert!(Journal::BYTES_MAX <= JOURNAL_BYTES_MAX);
/// Records of everything but settings at their longest, a root document of 4000 bytes among them.
const OTHERS_BYTES: u32 = 8_096;

impl Storage {
    /// Flash of current values, in bytes.
    pub fn used_bytes(&self) -> u32 {
        self.records.live_bytes()
    }

    /// Longest settings that have room beside whatever else must be kept. In a partition too
    /// small for the longest of everything they get a quarter of what is certain.
    pub fn settings_bytes_max(&self) -> usize {
        let certain = self.certain_bytes();
        let left = certain.saturating_sub(OTHERS_BYTES).max(certain / 4);
        (left as usize).min(MAX_VALUE_BYTES)
    }

    /// Keeps a value. The journal always has room: nothing else may grow into it.
    pub(super) fn put<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        if key != JOURNAL && !self.has_room(flash, key, bytes.len()) {
            return Err(StorageError::Full);
        }
        self.making_room(flash, |storage, flash| storage.records.put(flash, key, bytes))
    }

    /// Half of the capacity is usable whatever the lengths of the values.
    fn certain_bytes(&self) -> u32 {
        self.records.capacity_bytes() / 2
    }

    fn has_room<F: NorFlash>(&self, flash: &mut F, key: u8, bytes: usize) -> bool {
        let mut all = Records::footprint_bytes(JOURNAL_BYTES_MAX);
        for kept in KEPT.filter(|&kept| kept != JOURNAL) {
            // A value that cannot be read any more is replaced like one that was never there.
            let before = self.records.len(flash, kept).ok().flatten();
            if kept == key {
                if before.is_some_and(|before| bytes <= before) {
                    return true;
                }
                all += Records::footprint_bytes(bytes);
            } else if let Some(before) = before {
                all += Records::footprint_bytes(before);
            }
        }
        all <= self.certain_bytes()
    }
}
