//! The words the server and a device say to each other: names, digests, MQTT
//! topics, phases, reason numbers, payloads, the settings message, the events
//! that apps hear of, and how the audit log is hashed.
//!
//! Pure text and numbers: no clock, no I/O, no `std`. What arrives from outside
//! is checked here once and carried on as a type.
//!
//! Without the feature `alloc` nothing here needs a heap: what a device takes of it.
//!
//! Start at [`Topic`] for where messages go and [`payload`] for what they hold.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod audit;
#[cfg(feature = "alloc")]
mod config;
mod digest;
#[cfg(feature = "alloc")]
mod generated;
mod ids;
#[cfg(feature = "alloc")]
pub mod notifications;
pub mod payload;
mod phase;
mod reason;
mod topics;
mod words;

#[cfg(feature = "alloc")]
pub use config::{
    ConfigError, DeviceConfig, PublishShadowDesired, PublishShadowState, PublishShadowUpdate,
};
pub use digest::{Digest, DigestError, Hasher};
#[cfg(feature = "alloc")]
pub use ids::NameError;
pub use ids::{
    Alphabet, First, Namespace, OrganisationId, ProductName, ReleaseVersion, ShadowName,
    TemplateName, ThingName, UpdateId,
};
pub use phase::{Outcome, Phase};
pub use reason::Reason;
pub use topics::{
    PresenceEvent, ShadowId, ShadowTopic, ShadowVerb, SubscriptionEvent, Topic, is_topic_filter,
};
#[cfg(feature = "alloc")]
pub use topics::{ProvisioningCall, ProvisioningPart, is_filter_of_thing};
#[cfg(feature = "alloc")]
pub use words::UnknownWord;
