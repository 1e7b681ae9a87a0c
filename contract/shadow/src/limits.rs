//! How large a request and a document may be.

use otaru_wire::{ShadowName, ThingName};

/// Limits of requests and documents. The default is AWS IoT's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest update request as it arrives, in bytes.
    pub payload_bytes: usize,
    /// The largest stored document: compact JSON of `desired` and of `reported`
    /// together, in bytes. Metadata, version and token do not count.
    pub document_bytes: usize,
    /// The most levels of keys below `desired` or `reported`; `{"a":{"b":1}}` has
    /// two, and an array is a level. AWS documents 8 and names 6 in its message.
    pub nesting_levels: usize,
    /// The longest client token, in bytes of UTF-8.
    pub token_bytes: usize,
    /// The longest thing name, in bytes; at most [`ThingName::MAX`].
    pub thing_name_bytes: usize,
    /// The longest shadow name, in bytes; at most [`ShadowName::MAX`].
    pub shadow_name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            payload_bytes: 128 * 1024,
            document_bytes: 8192,
            nesting_levels: 8,
            token_bytes: 64,
            thing_name_bytes: ThingName::MAX,
            shadow_name_bytes: ShadowName::MAX,
        }
    }
}
