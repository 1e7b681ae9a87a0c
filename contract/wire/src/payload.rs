//! What messages hold: JSON that a device sends or echoes, and presence events.

#[cfg(feature = "alloc")]
use alloc::string::{String, ToString};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(feature = "alloc")]
use core::fmt;

#[cfg(feature = "alloc")]
use serde::Serialize;
#[cfg(feature = "alloc")]
use serde::de::DeserializeOwned;

#[cfg(feature = "alloc")]
mod client_events;
mod firmware;
mod log;
pub mod member;
mod offer;
#[cfg(feature = "alloc")]
mod presence;
#[cfg(feature = "alloc")]
mod progress;

#[cfg(feature = "alloc")]
pub use client_events::{ConnectFailedPayload, ConnectFailure, SubscriptionPayload};
pub use firmware::{DesiredUpdate, FirmwareState, NO_LABEL, TrustReport};
#[cfg(feature = "alloc")]
pub use firmware::{FirmwareReport, LastUpdate};
pub use log::LogLevel;
#[cfg(feature = "alloc")]
pub use log::{LOG_BYTES_MAX, LOG_RECORDS_MAX, LogRecord};
pub use offer::{OfferDecision, UpdateOffer};
#[cfg(feature = "alloc")]
pub use presence::{DisconnectReason, PresencePayload};
#[cfg(feature = "alloc")]
pub use progress::{PROGRESS_BYTES_MAX, Progress};

/// Why a payload was not taken.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// More bytes than a message of this kind may have.
    TooLarge {
        /// The payload's length in bytes.
        found_bytes: usize,
        /// The most allowed.
        max_bytes: usize,
    },
    /// More records than one message may hold.
    TooManyRecords {
        /// How many there were.
        found: usize,
        /// The most allowed.
        max: usize,
    },
    /// More bytes done than there are.
    BeyondTotal {
        /// Bytes said to be done.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
    /// Not JSON, or not of this shape; says where and what was expected.
    Malformed(String),
}

#[cfg(feature = "alloc")]
impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::TooLarge { found_bytes, max_bytes } => {
                write!(f, "payload has {found_bytes} bytes, at most {max_bytes} are taken")
            }
            PayloadError::TooManyRecords { found, max } => {
                write!(f, "payload has {found} records, at most {max} are taken")
            }
            PayloadError::BeyondTotal { done, total } => {
                write!(f, "{done} of {total} bytes are done")
            }
            PayloadError::Malformed(why) => f.write_str(why),
        }
    }
}

#[cfg(feature = "alloc")]
impl core::error::Error for PayloadError {}

#[cfg(feature = "alloc")]
impl From<serde_json::Error> for PayloadError {
    fn from(error: serde_json::Error) -> PayloadError {
        PayloadError::Malformed(error.to_string())
    }
}

/// `bytes` without the NULs and white space at their end: clients in C publish
/// the terminator of their strings, and AWS takes it.
pub fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\0' | b' ' | b'\t' | b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Parses one JSON payload of at most `max_bytes`.
#[cfg(feature = "alloc")]
fn parse<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, PayloadError> {
    if bytes.len() > max_bytes {
        return Err(PayloadError::TooLarge { found_bytes: bytes.len(), max_bytes });
    }
    Ok(serde_json::from_slice(without_padding(bytes))?)
}

/// Compact JSON of a payload type of this crate.
#[cfg(feature = "alloc")]
fn to_json<T: Serialize>(payload: &T) -> Vec<u8> {
    serde_json::to_vec(payload).expect("payload types have string keys and finite numbers only")
}

#[cfg(test)]
mod tests;
