//! The board that QEMU calls `virt`, as a microcontroller with 400 KiB of RAM and NOR flash.
//!
//! Two programs: `boot` in the read-only bank checks a slot and starts it, `app` is what it starts.
//! Here is what both need, and what a flash image is made of ([`partitions`], [`head`], [`proof`]),
//! which builds on any machine. What touches the machine is in [`chip`].
//!
//! Start at `bin/boot.rs`. `README.md` in the folder above tells how to build and run it.
#![no_std]

#[cfg(target_arch = "riscv32")]
extern crate alloc;

#[cfg(target_arch = "riscv32")]
pub mod chip;
pub mod head;
pub mod partitions;
#[cfg(target_arch = "riscv32")]
pub mod product;
pub mod proof;

pub use otaru_identity as identity;

/// What manifests call this chip. Its images are raw bytes.
pub const CHIP_NAME: &str = "virt";
/// Where the root key is in the read-only bank: its length in four bytes, then the key.
pub const ROOT_KEY_OFFSET: usize = 48 * 1024;
/// Where the product's name is in that bank, likewise: what was signed for another one is not started.
pub const PRODUCT_OFFSET: usize = ROOT_KEY_OFFSET + 256;
/// Bytes of the read-only bank that the bootloader may fill.
pub const BOOT_BYTES_MAX: usize = ROOT_KEY_OFFSET;
