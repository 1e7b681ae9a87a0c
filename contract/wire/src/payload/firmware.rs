//! The members of a shadow that agent and server keep between them. A plain
//! client ignores them and still works.
//!
//! An absent value is written as `null`: an update is a patch, and a member left
//! out would keep what the last report said.

#[cfg(feature = "alloc")]
use alloc::string::String;

#[cfg(feature = "alloc")]
use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[cfg(feature = "alloc")]
use serde_json::Value;

#[cfg(feature = "alloc")]
use super::PayloadError;
#[cfg(feature = "alloc")]
use crate::Outcome;
use crate::words::words;
use crate::{Digest, Reason, UpdateId};

words! {
    /// What the device makes of the firmware it runs.
    FirmwareState, "firmware state" {
        /// It stays.
        Confirmed = "confirmed",
        /// It runs and is not yet confirmed.
        Trial = "trial",
        /// It runs again because its successor was not kept.
        RolledBack = "rolled_back",
    }
}

/// What [`member::VERSION`](super::member::VERSION) of `reported.firmware` says when the device knows no label for what it runs.
pub const NO_LABEL: &str = "unknown";

/// `reported.firmware`: what the device runs, and how its last update ended.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareReport {
    /// SHA-256 of the image in the running slot.
    pub sha256: Digest,
    /// Its label: from the manifest stored with that SHA-256, else from the image's own descriptor.
    pub version: String,
    /// The running slot, such as `ota_0`.
    pub slot: String,
    /// Whether it stays.
    pub state: FirmwareState,
    /// How the last update ended; `None` if there was none.
    #[serde(default)]
    pub last: Option<LastUpdate>,
    /// Whether the device can show `desired.update_offer` to somebody and answer for them.
    #[serde(default, serialize_with = "yes_or_null", deserialize_with = "null_is_no")]
    pub shows_offers: bool,
    /// What the device last saw of root and timestamp; only where the root names a server key.
    #[serde(default)]
    pub trust: Option<TrustReport>,
}

/// `reported.firmware.trust`: what a device makes of the news its server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(Serialize, Deserialize))]
pub struct TrustReport {
    /// Number of the newest root document it verified.
    pub root: u64,
    /// When the last timestamp it saw was signed, in seconds since 1970, fresh or not.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub timestamp: Option<i64>,
    /// What is wrong with what it saw, if anything.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub reason: Option<Reason>,
}

#[cfg(feature = "alloc")]
impl FirmwareReport {
    /// The label of what runs, if it has one.
    pub fn label(&self) -> Option<&str> {
        Some(self.version.as_str()).filter(|label| !label.is_empty() && *label != NO_LABEL)
    }
}

/// `reported.firmware.last`: how an update ended, from the device's outbox.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUpdate {
    /// Which update; `None` if the wish named none.
    #[serde(default)]
    pub update: Option<UpdateId>,
    /// The release that was wished for.
    pub version: String,
    /// The image that was wished for.
    pub sha256: Digest,
    /// How it ended: confirmed, failed, rolled back or cancelled.
    pub outcome: Outcome,
    /// Why, unless it was confirmed.
    #[serde(default)]
    pub reason: Option<Reason>,
}

/// `desired.update`, echoed in `reported.update`: which update the server means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(Serialize, Deserialize))]
pub struct DesiredUpdate {
    /// The update. A new one allows one more try of an image on the bad list.
    pub id: UpdateId,
    /// The image to run.
    pub sha256: Digest,
    /// How often the server asked, from 1.
    pub attempt: u32,
}

#[cfg(feature = "alloc")]
impl FirmwareReport {
    /// Reads the value of `reported.firmware`.
    pub fn from_value(value: &Value) -> Result<FirmwareReport, PayloadError> {
        Ok(FirmwareReport::deserialize(value)?)
    }

    /// The value of `reported.firmware`.
    pub fn to_value(&self) -> Value {
        to_value(self)
    }
}

#[cfg(feature = "alloc")]
impl DesiredUpdate {
    /// Reads the value of `desired.update` or `reported.update`.
    pub fn from_value(value: &Value) -> Result<DesiredUpdate, PayloadError> {
        Ok(DesiredUpdate::deserialize(value)?)
    }

    /// The value of `desired.update` and `reported.update`.
    pub fn to_value(&self) -> Value {
        to_value(self)
    }
}

#[cfg(feature = "alloc")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn yes_or_null<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    flag.then_some(true).serialize(serializer)
}

#[cfg(feature = "alloc")]
fn null_is_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(feature = "alloc")]
fn to_value<T: Serialize>(payload: &T) -> Value {
    serde_json::to_value(payload).expect("payload types have string keys and finite numbers only")
}
