//! The agent and its host behind a C interface: `include/otaru.h`.
//!
//! The firmware fills in a table of callbacks, feeds messages and polls. `api` is the border
//! and `board` calls back over it: all unsafe code is there. The rest is safe Rust, and the
//! same on every chip.
//!
//! Start at `include/otaru.h`, then [`api`]. The example is `examples/c-client`.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod api;
mod board;
mod body;
mod device;
mod documents;
mod download;
#[cfg(not(feature = "std"))]
mod freestanding;
mod numbers;
mod trust;

pub use board::{Board, Response};
