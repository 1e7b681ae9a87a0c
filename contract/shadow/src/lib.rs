//! The device shadow: a document of what a device is wished to be and what it
//! says it is, with AWS IoT's rules for merging, versions, stamps and deltas.
//!
//! Pure: the caller brings the time, stores the [`Document`] and publishes the
//! messages. Classic and named shadows follow the same rules.
//!
//! Start at [`Document::apply`]; [`Change`] makes the messages of an update.
#![no_std]

extern crate alloc;

mod delta;
mod dialect;
mod document;
mod limits;
mod measure;
mod merge;
mod messages;
mod rejection;
mod request;
mod rules;
mod stamps;

pub use dialect::{Dialect, VersionOfMissing};
pub use document::Document;
pub use limits::Limits;
pub use messages::{Change, delete_accepted, delta_message, get_accepted, name_list};
pub use rejection::Rejection;
pub use request::{UpdateRequest, client_token_of};
pub use rules::Rules;
