//! Extractors whose refusals are problems with a stable code.

mod body;
mod language;
mod url;

pub(crate) use body::{Json, MAX_JSON_BYTES, OptionalJson, in_words, longest_body, read_body};
pub(crate) use language::Preferred;
pub(crate) use url::{Path, Query};
