//! Checks signatures of Ed25519 and of ECDSA on P-256 with few bytes of code, for microcontrollers.
//!
//! Both curves share one multiplication of 256-bit numbers, and each has one complete formula for
//! adding points: no tables, no second way for doubling, no case that occurs once in 2^128.
//! That takes several times as long as crates that are made for speed.
//!
//! It verifies and does nothing else. Keys, messages and signatures are public, so how long a
//! check takes may depend on them; **nothing in here is fit to touch a secret**.
//!
//! The answers are those of `ed25519-dalek` (`verify_strict`) and of `p256`, for every input:
//! `tests` asks all of them. Start at [`ed25519::verifies`] and [`p256::verifies`].
#![no_std]

#[cfg(feature = "ed25519")]
pub mod ed25519;
mod group;
mod modulus;
#[cfg(feature = "p256")]
pub mod p256;
