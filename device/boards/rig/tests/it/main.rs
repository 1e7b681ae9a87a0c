//! The firmware of `virt`, run by QEMU.

mod boot;
mod proof;
mod update;
