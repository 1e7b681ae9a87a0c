//! The firmware of `virt`, run by QEMU.

mod boot;
mod demo;
mod link;
mod powercut;
mod proof;
mod roots;
mod update;
