//! Slots, trial boots and small durable records on NOR flash.
//!
//! Reads the partition table, writes the slot that is not running, arms it in
//! the ESP-IDF bootloader's `otadata`, confirms it or gives it up, and keeps
//! key→bytes [`Records`] that survive a power cut at any instant.
//!
//! It never allocates, never decides when to update (that is `device/agent`),
//! and never trusts what it reads: flash content is outside input.
//!
//! Start at [`Layout`], then [`SlotWriter`], [`otadata`] and [`Records`].
#![no_std]

#[cfg(test)]
extern crate std;

pub mod boot;
mod chunks;
mod crc;
mod flash;
pub mod image;
mod layout;
pub mod loader;
mod marks;
mod md5;
pub mod otadata;
mod records;
mod ring;
mod sealed;
mod slot;
mod slot_writer;
pub mod table;
mod verify;

pub use boot::{BootError, Booted, boot};
pub use chunks::{CHUNK_BYTES, ChunkList};
pub use flash::{FlashError, Region, SECTOR_BYTES};
pub use layout::Layout;
pub use otadata::{EntryState, OtaData, OtaDataError};
pub use records::{KEYS, MAX_VALUE_BYTES, Opened, Records, RecreatedReason, StorageError};
pub use ring::Ring;
pub use slot::{Slot, SlotError};
pub use slot_writer::SlotWriter;
pub use table::TableError;
pub use verify::{SlotHasher, chunk_is_good, hash_slot, read_slot, resume_point};
