//! (to be written)
mod hex;
pub mod keys;
