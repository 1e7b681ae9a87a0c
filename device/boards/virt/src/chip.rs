//! The machine: everything unsafe is in here, behind safe functions.

pub mod handover;
pub mod heap;
pub mod nor;
pub mod power;
pub mod read_only;
pub mod serial;
pub mod stack;
pub mod time;
pub mod virtio;
pub mod watchdog;

/// Reads a register.
fn peek<T: Copy>(address: usize) -> T {
    // SAFETY: callers are the drivers below, each with the registers of its own device.
    unsafe { (address as *const T).read_volatile() }
}

/// Writes a register.
fn poke<T: Copy>(address: usize, value: T) {
    // SAFETY: as for `peek`.
    unsafe { (address as *mut T).write_volatile(value) }
}
