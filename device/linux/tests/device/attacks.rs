//! Somebody holds the server: its database, its images, its certificate authority and its server
//! key. What they answer is made by `forge`, which shares no code with server or device.
//!
//! Each attack ends with a reason of its own, and the device takes the next honest release.

mod clocks;
mod forge;
mod heist;
mod keys;
mod news;
mod orders;
mod patches;
mod transfers;
mod wrong_firmware;
