//! A whole device on virtual time, and what it may never do.
//!
//! The real agent, host and slots on a chip that loses power, tears and wears, between a
//! clock, a network and a server that are none. A [`Life`] is a plan with a seed; [`live`]
//! lives it and says which invariant broke, if any. The judge reads raw flash with a parser
//! of its own ([`oracle`]) after every boot and every effect; [`proof`] lives very many lives.
//!
//! Start at [`Life`], then [`live`]. Never a normal dependency.

pub mod catalogue;
mod chip;
mod judge;
mod life;
pub mod models;
mod network;
mod offers;
pub mod oracle;
pub mod proof;
mod server;
mod world;

pub use judge::{Judge, Violation};
pub use life::{Clock, Geometry, Gust, Life, Loader, Outage, Supply, Unit, Weather, Wish};
pub use server::End;
pub use world::{Beginnings, Summary, World, live, tell};
