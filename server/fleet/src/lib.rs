//! Domain types and pure rules of a fleet.
//!
//! No async, no SQL, no clock: time is a parameter, so that a rule can be
//! tested over years in a microsecond.
//!
//! Start at [`Update::step`], the life of one update.

mod approval;
mod consent;
mod image_record;
mod language;
mod limits;
mod provenance;
mod role;
mod setting;
mod texts;
mod update;

pub use approval::{Approval, ApprovalState};
pub use consent::{Consent, Decision, InstallChoice, Offer, Safety, next_reminder};
pub use image_record::{ChipRevisions, ImageFormat, ImageRecord, Warning};
pub use language::{Language, UnknownLanguage};
pub use limits::Limits;
pub use provenance::{NotAnSbom, Sbom, SbomFormat, Source};
pub use role::{Permission, Role, UnknownRole};
pub use setting::{Setting, SettingChoice, SettingEditor, SettingKind, settings_fault};
pub use texts::Texts;
pub use update::{Effect, Input, Running, Update};
