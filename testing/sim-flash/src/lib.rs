//! NOR flash in memory that loses power, tears writes and erases, forgets and wears.
//!
//! Stricter than real chips: an erase must cover whole sectors, a write whole
//! units, and a unit is written once between erases, except to clear whole bytes of it. [`Cut`] says at which
//! operation power goes and what is left of it; every access then fails until
//! [`SimFlash::power_on`]. Everything random comes from a seed in the cut.
//!
//! Start at [`SimFlash`]. Never a normal dependency.

mod cut;
mod flash;
mod random;
mod sector;

pub use cut::{Cut, CutKind};
pub use flash::{Operation, SimError, SimFlash};
pub use random::Random;

/// Sector length of every simulated chip in bytes.
pub const SECTOR_BYTES: usize = 4096;

/// A chip that reads and writes units of 4 bytes.
pub type WordFlash = SimFlash<4>;
