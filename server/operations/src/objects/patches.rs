use otaru_store::{PatchRow, PatchState, ReleaseRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::patches::{codec_name, codec_of};

/// A patch to a release, or what becomes of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PatchObject {
    /// SHA-256 of the image it starts from, lower hex; null of the packed image, which needs none.
    pub base: Option<String>,
    /// The version of the release with that image.
    pub base_version: Option<String>,
    /// `lzma-4k` or `lzma-8k`.
    pub codec: &'static str,
    /// `waiting`, `running`, `ready`, or `skipped`: none is made.
    pub state: &'static str,
    /// Why it waits (`storage_full`, `failed`) or is skipped: `patch_too_large` of the packed
    /// image, `not_smaller` than the image, `image_too_large`, `base_gone`, `failed`.
    pub reason: Option<&'static str>,
    /// More of that, for people.
    pub detail: Option<String>,
    /// SHA-256 of its bytes, lower hex, once it is ready.
    pub sha256: Option<String>,
    /// Its size in bytes; also of one that was too large to be kept.
    pub size: Option<u64>,
    /// The size in parts of the image's.
    pub share: Option<f64>,
    /// How often making it was begun without an end.
    pub attempts: u32,
    /// When it is tried again, if it waits.
    pub next_try_at: Option<String>,
    /// When it was made.
    pub made_at: Option<String>,
    /// How long that took, in milliseconds.
    pub took_ms: Option<u64>,
}

impl PatchObject {
    /// A patch to an image of `image_bytes`.
    pub(crate) fn of(row: PatchRow, base: Option<ReleaseRow>, image_bytes: u64) -> PatchObject {
        let waits = row.state == PatchState::Waiting && row.reason.is_some();
        PatchObject {
            base: row.key.base.map(|base| base.to_string()),
            base_version: base.map(|base| base.version.to_string()),
            codec: codec_of(row.key.codec).map_or("unknown", codec_name),
            state: row.state.as_str(),
            reason: row.reason.map(|reason| reason.as_str()),
            detail: row.detail,
            sha256: row.sha256.map(|sha256| sha256.to_string()),
            size: row.size_bytes,
            share: row.size_bytes.map(|size| share(size, image_bytes)),
            attempts: row.attempts,
            next_try_at: waits.then(|| time(row.due_at)),
            made_at: row.made_at.map(time),
            took_ms: row.took_ms,
        }
    }
}

/// To four places: a percentage with two.
fn share(size: u64, image_bytes: u64) -> f64 {
    (size as f64 / image_bytes.max(1) as f64 * 10_000.0).round() / 10_000.0
}
