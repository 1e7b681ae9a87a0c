//! A release that somebody at the device may decide about, on the device's own screen.

#[cfg(feature = "alloc")]
use serde::{Deserialize, Serialize};
#[cfg(feature = "alloc")]
use serde_json::Value;

#[cfg(feature = "alloc")]
use super::PayloadError;
use crate::words::words;
use crate::{Digest, ReleaseVersion};

words! {
    /// When somebody at the device wants a release.
    OfferDecision, "decision" {
        /// At once.
        Now = "now",
        /// Not now: asked again after a day.
        Later = "later",
        /// At the next night where the device is.
        Tonight = "tonight",
    }
}

/// `desired.update_offer`, echoed in `reported.update_offer` with the decision once there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "alloc", derive(Serialize, Deserialize))]
pub struct UpdateOffer {
    /// The release.
    pub version: ReleaseVersion,
    /// Its image.
    pub sha256: Digest,
    /// Length of the image in bytes.
    pub size: u64,
    /// What was decided at the device; only in reported.
    #[cfg_attr(feature = "alloc", serde(default, skip_serializing_if = "Option::is_none"))]
    pub decision: Option<OfferDecision>,
}

impl UpdateOffer {
    /// The same offer without an answer.
    pub fn undecided(self) -> UpdateOffer {
        UpdateOffer { decision: None, ..self }
    }
}

#[cfg(feature = "alloc")]
impl UpdateOffer {
    /// Reads the value of `desired.update_offer` or `reported.update_offer`.
    pub fn from_value(value: &Value) -> Result<UpdateOffer, PayloadError> {
        Ok(UpdateOffer::deserialize(value)?)
    }

    /// The value of `desired.update_offer` or `reported.update_offer`.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("payload types have string keys and finite numbers only")
    }
}
