//! Domain types and pure rules of a fleet.
//!
//! No async, no SQL, no clock: time is a parameter, so that a rule can be
//! tested over years in a microsecond.
//!
//! Start at [`Update::step`], the life of one update.

mod limits;
mod role;
mod update;

pub use limits::Limits;
pub use role::{Permission, Role, UnknownRole};
pub use update::{Effect, Input, Running, Update};
