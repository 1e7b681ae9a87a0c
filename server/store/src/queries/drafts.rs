//! Releases that are not published.

use otaru_wire::{ProductName, ReleaseVersion};

use super::releases::{common_columns, select_drafts, values};
use crate::{
    ReleaseRow, Scope, StoreError, Tx,
    value::{json, params},
};

/// Stores a draft. [`StoreError::Duplicate`] when another draft has its version or sequence.
pub fn insert_draft(
    tx: &mut Tx<'_>,
    scope: &Scope,
    draft: &ReleaseRow,
    manifest: &[u8],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO drafts (product, version, sha256, size_bytes, sequence, channel, notes,
             created_at, notes_by_language, safety, image, warnings, security_counter, source,
             sbom, approval, organisation, manifest, signer)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        &values(scope, draft, manifest),
    )?;
    Ok(())
}

/// The draft of this product and version.
pub fn draft(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<ReleaseRow>, StoreError> {
    tx.first(
        select_drafts!("WHERE organisation = $1 AND product = $2 AND version = $3"),
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

/// The draft's signed manifest.
pub fn draft_manifest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<Vec<u8>>, StoreError> {
    tx.first(
        "SELECT manifest FROM drafts WHERE organisation = $1 AND product = $2 AND version = $3",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

/// Remembers how far a draft has come.
pub fn set_draft_approval(
    tx: &mut Tx<'_>,
    scope: &Scope,
    draft: &ReleaseRow,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE drafts SET approval = $4
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![
            scope.organisation().as_str(),
            draft.product.as_str(),
            draft.version.as_str(),
            draft.approval.as_ref().map(json)
        ],
    )?;
    Ok(())
}

/// Forgets a draft.
pub fn delete_draft(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM drafts WHERE organisation = $1 AND product = $2 AND version = $3",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )?;
    Ok(())
}
