//! Which patch a device asks for.

use axum::http::StatusCode;
use otaru_operations::{PatchCodec, WantedPatch};

use super::ReleaseQuery;
use crate::ApiError;

/// The media type of patches: `docs/patches.md`.
pub(super) const PATCH: &str = "application/vnd.otaru.patch";

/// What the query says about the patch.
pub(super) fn wanted(query: &ReleaseQuery) -> Result<WantedPatch, ApiError> {
    let base = query.base.as_deref().map(|text| {
        text.parse().map_err(|error| refused(format!("base: {error}"), text, "64 hex digits"))
    });
    let codec = match query.codec.as_deref() {
        None | Some("1") => PatchCodec::Lzma4K,
        Some("2") => PatchCodec::Lzma8K,
        Some(text) => return Err(refused("codec: no codec has this number", text, "1 or 2")),
    };
    Ok(WantedPatch { base: base.transpose()?, codec })
}

fn refused(detail: impl ToString, found: &str, expected: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_query", detail).with_found(found, expected)
}
