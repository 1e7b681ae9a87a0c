//! Log records on `{ns}/things/{thing}/logs`.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(feature = "alloc")]
use serde::{Deserialize, Serialize};
#[cfg(feature = "alloc")]
use serde_json::{Map, Value};

#[cfg(feature = "alloc")]
use super::{PayloadError, parse, to_json, without_padding};
use crate::words::words;

/// The most records in one message.
#[cfg(feature = "alloc")]
pub const LOG_RECORDS_MAX: usize = 256;

/// The most bytes in one message.
#[cfg(feature = "alloc")]
pub const LOG_BYTES_MAX: usize = 64 * 1024;

words! {
    /// How much a log record matters, least first.
    LogLevel, "log level" {
        /// For finding a fault.
        Debug = "DEBUG",
        /// As it should be.
        Info = "INFO",
        /// Not as it should be, and handled.
        Warn = "WARN",
        /// Something was not done.
        Error = "ERROR",
    }
}

/// One log record of a device.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// When, in ms since 1970 by the device's clock, which may be wrong.
    pub timestamp: i64,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened, for people.
    pub message: String,
    /// What happened, for programs: `SHADOW_FAILED`, `OTA_UPDATE_FAILED`,
    /// `CONFIG_REPORT_FAILED`, `IO_FAILED`, or another word of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which device, as it says itself; the topic is what counts.
    #[serde(rename = "thingName", default, skip_serializing_if = "Option::is_none")]
    pub thing_name: Option<String>,
    /// Free heap, in bytes.
    #[serde(rename = "freeHeap", default, skip_serializing_if = "Option::is_none")]
    pub free_heap_bytes: Option<u64>,
    /// Used storage, in bytes.
    #[serde(rename = "usedBytes", default, skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Every further member, kept as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[cfg(feature = "alloc")]
impl LogRecord {
    /// A record with the members every record has.
    pub fn new(timestamp_ms: i64, level: LogLevel, message: impl Into<String>) -> LogRecord {
        LogRecord {
            timestamp: timestamp_ms,
            level,
            message: message.into(),
            code: None,
            thing_name: None,
            free_heap_bytes: None,
            used_bytes: None,
            extra: Map::new(),
        }
    }

    /// Reads one record or an array of them; all or none.
    pub fn parse_payload(bytes: &[u8]) -> Result<Vec<LogRecord>, PayloadError> {
        let records: Vec<LogRecord> = match without_padding(bytes).trim_ascii_start().first() {
            Some(b'[') => parse(bytes, LOG_BYTES_MAX)?,
            _ => [parse(bytes, LOG_BYTES_MAX)?].into(),
        };
        if records.len() > LOG_RECORDS_MAX {
            let (found, max) = (records.len(), LOG_RECORDS_MAX);
            return Err(PayloadError::TooManyRecords { found, max });
        }
        Ok(records)
    }

    /// The record as a payload of its own.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}
