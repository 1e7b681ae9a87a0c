//! The words the server and a device say to each other: names, digests, MQTT
//! topics, phases, reason numbers, payloads, the settings message, and the events
//! that apps hear of.
//!
//! Pure text and numbers: no clock, no I/O, no `std`. What arrives from outside
//! is checked here once and carried on as a type.
//!
//! Start at [`Topic`] for where messages go and [`payload`] for what they hold.
#![no_std]

extern crate alloc;

mod config;
mod digest;
mod generated;
mod ids;
pub mod notifications;
pub mod payload;
mod phase;
mod reason;
mod topics;
mod words;

pub use config::{
    ConfigError, DeviceConfig, PublishShadowDesired, PublishShadowState, PublishShadowUpdate,
};
pub use digest::{Digest, DigestError};
pub use ids::{
    Alphabet, First, NameError, Namespace, OrganisationId, ProductName, ReleaseVersion, ShadowName,
    ThingName, UpdateId,
};
pub use phase::{Outcome, Phase};
pub use reason::Reason;
pub use topics::{
    PresenceEvent, ShadowId, ShadowTopic, ShadowVerb, SubscriptionEvent, Topic, is_filter_of_thing,
    is_topic_filter,
};
pub use words::UnknownWord;
