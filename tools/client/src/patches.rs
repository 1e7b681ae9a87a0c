use otaru_wire::{ProductName, ReleaseVersion};
use serde::Deserialize;

use crate::releases::releases;
use crate::{Client, ClientError, Page};

/// A patch to a release, or what becomes of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Patch {
    /// SHA-256 of the image it starts from; `None` of the packed image.
    pub base: Option<String>,
    /// The version of the release with that image.
    pub base_version: Option<String>,
    /// `lzma-4k` or `lzma-8k`.
    pub codec: String,
    /// `waiting`, `running`, `ready` or `skipped`.
    pub state: String,
    /// Why it waits or is skipped.
    pub reason: Option<String>,
    /// More of that.
    pub detail: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// The size in parts of the image's.
    pub share: Option<f64>,
    /// When it is tried again, RFC 3339.
    pub next_try_at: Option<String>,
    /// When it was made, RFC 3339.
    pub made_at: Option<String>,
    /// How long that took, in milliseconds.
    pub took_ms: Option<u64>,
}

impl Client {
    /// Patches to a release, made or not, the packed image first.
    pub async fn list_patches(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Page<Patch>, ClientError> {
        self.get(&[&releases(product)[..], &[version.as_str(), "patches"]].concat(), &[]).await
    }
}
