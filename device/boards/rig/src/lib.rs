//! What is around a board on a desk: a factory that makes flash images, and a machine that runs them.
//!
//! The firmware is built before, for its chip: `make boards`. Here it is made into images
//! ([`firmware`]), put on flash with what a device leaves the factory with ([`factory`]), and run
//! by QEMU ([`qemu`]), whose serial port is read line by line.

pub mod elf;
pub mod factory;
pub mod firmware;
pub mod powercut;
pub mod qemu;
pub mod relay;
pub mod seed;
pub mod server;
pub mod site;
