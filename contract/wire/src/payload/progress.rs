//! Progress on `{ns}/things/{thing}/update/progress`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{PayloadError, parse, to_json};
use crate::{Phase, Reason, ReleaseVersion};

/// The most bytes in one message.
pub const PROGRESS_BYTES_MAX: usize = 4 * 1024;

/// How far a device is with an update. Sent at most once a second, never stored in the shadow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The release the device moves to.
    pub version: ReleaseVersion,
    /// What the device is doing.
    pub phase: Phase,
    /// Image bytes that are in flash and checked. Never falls within one `attempt`.
    pub done: u64,
    /// Image bytes in all; 0 while not known.
    pub total: u64,
    /// Which try of this update it is, from 1.
    pub attempt: u32,
    /// When the device tries again, in ms since 1970; with [`Phase::Waiting`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// How long the device waits, in ms from this message; for a device without a clock, and
    /// surer than `until` for one whose clock is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Why the device waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Progress {
    /// Reads one progress message. Members it does not know are ignored.
    pub fn parse_payload(bytes: &[u8]) -> Result<Progress, PayloadError> {
        let progress: Progress = parse(bytes, PROGRESS_BYTES_MAX)?;
        let Progress { done, total, .. } = progress;
        if total != 0 && done > total {
            return Err(PayloadError::BeyondTotal { done, total });
        }
        Ok(progress)
    }

    /// The message as compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}
