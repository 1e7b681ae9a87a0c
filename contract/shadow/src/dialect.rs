//! What AWS IoT's documents leave open, or say in two ways.

use alloc::borrow::Cow;

use serde::Deserialize;

/// How the service behaves where AWS's documents are silent or disagree. The defaults are what
/// its cloud was seen to do, or what most of its clients expect. Nobody has to change them; a
/// fleet whose clients were written against another reading can.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Whether an array counts as a level of nesting. Default: yes.
    pub arrays_are_levels: bool,
    /// Whether deleting takes a version, so that a shadow deleted at version D is made again at
    /// D+2 rather than D+1. Default: yes.
    pub delete_takes_a_version: bool,
    /// Whether `update/documents` of a new shadow says `"previous":null` rather than nothing.
    /// Default: yes.
    pub null_previous: bool,
    /// Whether the answer to a get has `metadata.delta`. Default: no.
    pub delta_metadata: bool,
    /// Whether `metadata` of an accepted update has the keys that it removed. Default: yes.
    pub removed_keys_are_stamped: bool,
    /// Whether 1 equals 1.0 in a delta. Default: yes.
    pub numbers_by_value: bool,
    /// Which `version` an update of a shadow that does not exist may name. Default: 0.
    pub version_of_missing: VersionOfMissing,
    /// Whether the message of a 400 names the key of `state` that is none. Default: yes.
    pub invalid_node_is_named: bool,
    /// The message of the 400 for `null` inside an array. Default: `Invalid JSON`.
    pub null_in_array_text: Cow<'static, str>,
    /// The message of a 429. Default: `Too Many Requests`.
    pub throttled_text: Cow<'static, str>,
    /// Whether `timestamp` of a list of names is in ms rather than s. Default: no.
    pub list_timestamp_in_ms: bool,
    /// Whether an HTTP error has `traceId` beside `message`. Default: yes.
    pub errors_have_trace_id: bool,
    /// Whether a message under `$aws` with RETAIN is refused rather than taken as one without.
    /// It is never retained. Default: yes.
    pub retained_is_refused: bool,
}

/// Which `version` passes where there is no shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionOfMissing {
    /// 0 and no other.
    Zero,
    /// Every one: there is nothing to conflict with.
    Any,
    /// None: whoever names a version means a shadow that is there.
    None,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect {
            arrays_are_levels: true,
            delete_takes_a_version: true,
            null_previous: true,
            delta_metadata: false,
            removed_keys_are_stamped: true,
            numbers_by_value: true,
            version_of_missing: VersionOfMissing::Zero,
            invalid_node_is_named: true,
            null_in_array_text: Cow::Borrowed("Invalid JSON"),
            throttled_text: Cow::Borrowed("Too Many Requests"),
            list_timestamp_in_ms: false,
            errors_have_trace_id: true,
            retained_is_refused: true,
        }
    }
}
