//! The firmware of `virt`, run by QEMU.

mod boot;
mod link;
mod proof;
mod roots;
mod update;
