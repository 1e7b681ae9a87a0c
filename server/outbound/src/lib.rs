//! Calls to hosts that somebody named: an identity provider, later a webhook.
//!
//! A server that fetches what it is told to can be made to fetch from where only it reaches:
//! its own ports, its network, the metadata of its cloud. So whatever it calls on somebody's
//! word goes through [`Outbound`]: TLS only, each name resolved once and the connection made to
//! an address that was checked, no redirects, no proxy, little time and few bytes.
//!
//! Which addresses are whose is in `address.rs`, what is checked when in `guard.rs`.

mod address;
mod client;
mod error;
mod guard;

pub use client::{Answer, Ask, Outbound};
pub use error::OutboundError;
pub use guard::OutboundSettings;
