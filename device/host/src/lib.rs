//! What every host of the agent does with flash, whatever the chip and the runtime.
//!
//! The agent decides, `device/slots` knows the formats; this is between them: the
//! effects that touch flash, what a boot finds there, the device's records, and a
//! download as a state machine that is fed with answers and parts of them.
//! No socket, no clock, no runtime: `no_std` with an allocator, over any NOR flash.
//!
//! Start at [`Host`], then [`Download`] and, by patch where there is one, [`PatchDownload`].
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod boot;
mod download;
mod effects;
mod images;
mod patched;
mod rate;
mod storage;
mod verify;

pub use download::{Described, Download, Progress};
pub use effects::{Answered, Carried, Host, HostError};
pub use images::{SlotImage, start_slot};
pub use patched::{Flow, KeptLine, PatchDownload, PatchRange, PatchRefusal, Request, Tally};
pub use rate::Rate;
pub use storage::Storage;
pub use verify::Verification;
