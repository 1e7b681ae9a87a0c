//! Firmware around the agent, for chips that `embassy` runs on: MQTT and HTTPS over TLS 1.3, and
//! the loop that hears, decides and carries out.
//!
//! A board brings flash, a network stack, chance, and what is its own ([`Board`]). It runs two
//! tasks: [`session::run`], which keeps a session with the broker, and [`Device::run`]. Neither
//! knows the chip.
//!
//! Start at [`Device`]; what an application looks like is `virt/src/bin/app.rs`.
#![no_std]

extern crate alloc;

mod board;
mod buttons;
mod check;
mod device;
mod documents;
mod download;
mod https;
mod identity;
mod line;
mod link;
mod mqtt;
pub mod session;
mod tls;
pub mod trial;

pub use board::Board;
pub use buttons::Buttons;
pub use device::{Device, Failure};
pub use identity::{Identity, Net};
pub use line::{Escaped, Line};
