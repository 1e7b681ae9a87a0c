//! What may read otherwise than it was written, and excuses what comes of it.

use otaru_sim_flash::Operation;

use super::{SECTOR_BYTES, within};
use crate::life::Loader;
use crate::oracle::Partitions;

/// Cells that changed by themselves, or may.
#[derive(Clone, Debug)]
pub(super) struct Doubts {
    partitions: Partitions,
    loader: Loader,
    /// Which of the selector's sectors have cells that may change by themselves. ESP-IDF's
    /// checksum does not cover an entry's state; ours covers everything.
    rotting: [bool; 2],
    /// In which of them power went while the bootloader wrote an entry.
    cut: [bool; 2],
    /// Whether any was rotting since the wish was made.
    since_wish: bool,
    /// Bits that turned over in each sector of the records since its last whole erase.
    flips_in_records: Vec<u32>,
}

impl Doubts {
    pub(super) fn new(partitions: Partitions, loader: Loader) -> Doubts {
        let (rotting, cut) = ([false; 2], [false; 2]);
        let flips_in_records = vec![0; (partitions.otaru.1 / SECTOR_BYTES) as usize];
        Doubts { partitions, loader, rotting, cut, since_wish: false, flips_in_records }
    }

    /// A bit turned over here.
    pub(super) fn flipped(&mut self, offset: u32) {
        let nth = offset.checked_sub(self.partitions.otaru.0).map(|from| from / SECTOR_BYTES);
        if let Some(flips) = nth.and_then(|nth| self.flips_in_records.get_mut(nth as usize)) {
            *flips += 1;
        }
    }

    /// A cell here may change by itself from now on.
    pub(super) fn rots(&mut self, offset: u32) {
        if let Some(nth) = self.selectors_sector(offset) {
            self.rotting[nth] = true;
            self.since_wish = true;
        }
    }

    /// Power went in the bootloader's write of an entry: it writes one at once, state and
    /// checksum in any order, so the entry may have any state and the right checksum now.
    pub(super) fn bootloader_cut(&mut self, operation: &Operation) {
        if let Some(nth) = self.selectors_sector(operation.offset) {
            self.cut[nth] = true;
        }
    }

    /// A wish was made.
    pub(super) fn wished(&mut self) {
        self.since_wish = self.selector_rots();
    }

    fn selectors_sector(&self, offset: u32) -> Option<usize> {
        let nth = (offset.checked_sub(self.partitions.otadata.0)? / SECTOR_BYTES) as usize;
        (self.loader == Loader::EspIdf && nth < 2).then_some(nth)
    }

    /// An erase that came to its end leaves nothing to doubt.
    pub(super) fn settle(&mut self, operations: &[Operation], is_powered: bool) {
        let whole = operations.len() - usize::from(!is_powered).min(operations.len());
        for operation in operations[..whole].iter().filter(|operation| operation.is_erase) {
            for nth in 0..2 {
                let sector = self.partitions.otadata.0 + nth as u32 * SECTOR_BYTES;
                if within(operation, (sector, SECTOR_BYTES)) {
                    (self.rotting[nth], self.cut[nth]) = (false, false);
                }
            }
            for (nth, flips) in (0..).zip(&mut self.flips_in_records) {
                if within(operation, (self.partitions.otaru.0 + nth * SECTOR_BYTES, SECTOR_BYTES)) {
                    *flips = 0;
                }
            }
        }
    }

    /// Whether an entry's state may be another than was written.
    pub(super) fn of_entries(&self) -> bool {
        self.selector_rots() || self.cut.contains(&true)
    }

    /// Whether a cell of the selector may change by itself.
    pub(super) fn selector_rots(&self) -> bool {
        self.rotting.contains(&true)
    }

    /// Whether one might since the wish was made.
    pub(super) fn selector_rotted(&self) -> bool {
        self.since_wish
    }

    /// Whether two bits may have turned over in one record, which then is none.
    pub(super) fn may_lack_a_record(&self) -> bool {
        self.flips_in_records.iter().any(|&flips| flips > 1)
    }
}
