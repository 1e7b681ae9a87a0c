//! The update agent of a device, as a state machine.
//!
//! The host feeds [`Agent::step`] with [`Input`]s and carries out, in order, the
//! [`Effect`]s it is called with. Nothing here needs a heap: what the agent knows has its
//! place in it, and what it says is written where the host wants it. The agent decides; it never reads a clock, touches
//! flash, opens a socket or draws a random number, so every test runs in
//! microseconds and every failure replays.
//!
//! Start at [`Agent`], then [`reconcile`] (what a boot means) and [`Journal`]
//! (what a power cut cannot take away). `phases.md` and `boots.md`, beside this crate's
//! manifest, are the tables of both, printed by the tests. Flash layout lives in `device/slots`,
//! message formats in `contract/wire`, signatures in `contract/release`.
#![no_std]

#[cfg(test)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod agent;
mod backoff;
mod bad_images;
mod boot;
mod budget;
mod bytes;
mod clock;
mod config;
mod decision;
mod effect;
mod input;
mod journal;
mod json;
mod preflight;
mod reported;
mod shadow;
mod token;
mod transfer;
mod trust;
mod window;

pub use agent::{Agent, AgentPhase, SettingId, Stored};
pub use backoff::full_jitter;
pub use bad_images::{BadImage, BadImages};
pub use boot::{BootFacts, EntryState, Label, NextAction, ResetCause, Running, reconcile};
pub use budget::{Tries, retries_allowed};
pub use clock::Clock;
pub use config::{AgentConfig, WithoutBroker};
pub use decision::{Before, Decision, Deferral, Hold, Question};
pub use effect::{Delivery, Effect, LogLine, Payload, Target, Wanted};
pub use input::{Fault, Input, Moment};
pub use journal::{Attempt, Ended, Journal, JournalError, Stage};
pub use preflight::{Device, check_manifest};
pub use transfer::{Answer, Asked, Verdict, content_range, judge};
pub use trust::{Least, SeenTimestamp, Trust};
pub use window::DailyWindow;
