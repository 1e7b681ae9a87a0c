//! Releases that replace newer software by older: the publisher says so, an operator asks for it.

use otaru_release::Manifest;
use otaru_store::{ReleaseRow, Scope, StoreError, Tx};

use crate::{OperationError, Refusal};

/// Refuses an image that was released before and has been replaced since, unless its manifest
/// says that older software is meant.
pub(crate) fn refuse_unmarked(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<(), OperationError> {
    let known = otaru_store::release_by_image(tx, scope, &release.product, &release.sha256)?;
    // Not what a revoked key signed: the release before it is put in its place again.
    let last = otaru_store::last_published(tx, scope, &release.product, None)?;
    match known {
        // Whatever came after its newest release is another image.
        Some(known) if known.sequence < last => {
            Err(Refusal::DowngradeUnmarked(known.version.to_string()).into())
        }
        _ => Ok(()),
    }
}

/// Whether a release says in its manifest that it is one. It was verified when it was published.
pub(crate) fn is_one(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<bool, StoreError> {
    let manifest = otaru_store::release_manifest(tx, scope, &release.product, &release.version)?;
    let manifest = manifest.and_then(|bytes| Manifest::read_trusted(&bytes).ok());
    Ok(manifest.is_some_and(|manifest| manifest.is_downgrade))
}
