//! What a device may never do, judged from the bytes on its flash.
//!
//! Written from ESP-IDF's description of partition table, selector and images, and from
//! the project's description of its records; uses nothing of `device/`. Where this and
//! the device's own code read the same bytes differently, one of them is wrong.

mod checksum;
mod journal;
mod marks;
mod records;
mod selector;
mod sha256;
mod trust;

pub use checksum::{crc32c, sequence_crc};
pub use journal::{AttemptSeen, JournalSeen, StageSeen};
pub use records::{RecordsSeen, newest_records};
pub use selector::{Chosen, EntrySeen, Partitions, choose, choose_ours, entries};
pub use sha256::sha256;
pub use trust::TrustSeen;

/// A chip to be looked at: what a read finds at this power-on.
pub trait Raw {
    /// Copies cells out.
    fn look(&self, offset: u32, bytes: &mut [u8]);

    /// A range of the chip.
    fn dump(&self, offset: u32, length: u32) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        self.look(offset, &mut bytes);
        bytes
    }
}

impl<const UNIT: usize> Raw for otaru_sim_flash::SimFlash<UNIT> {
    fn look(&self, offset: u32, bytes: &mut [u8]) {
        otaru_sim_flash::SimFlash::look(self, offset, bytes);
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
