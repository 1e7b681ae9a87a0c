//! Images on their way, and software bills of materials.

use otaru_wire::Digest;

use crate::{
    Scope, StoreError, SystemScope, Tx, UploadRow,
    value::{FromRow, Row, params},
};

impl FromRow for UploadRow {
    fn from_row(row: &mut Row) -> Result<UploadRow, StoreError> {
        Ok(UploadRow {
            id: row.text("uploads.id")?,
            organisation: row.parsed("uploads.organisation")?,
            size_bytes: row.unsigned("uploads.size_bytes")?,
            received_bytes: row.unsigned("uploads.received_bytes")?,
            sha256: row.opt_parsed("uploads.sha256")?,
            created_at: row.int("uploads.created_at")?,
            touched_at: row.int("uploads.touched_at")?,
        })
    }
}

/// Begins an upload.
pub fn insert_upload(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    size_bytes: u64,
    sha256: Option<&Digest>,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO uploads (id, organisation, size_bytes, received_bytes, sha256, created_at, touched_at)
         VALUES ($1, $2, $3, 0, $4, $5, $5)",
        params![
            id,
            scope.organisation().as_str(),
            size_bytes,
            sha256.map(Digest::to_string),
            now
        ],
    )?;
    Ok(())
}

/// The upload with this id.
pub fn upload(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Option<UploadRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, size_bytes, received_bytes, sha256, created_at, touched_at
         FROM uploads WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )
}

/// Whether any organisation has an upload with this id.
pub fn is_upload_known(tx: &mut Tx<'_>, _: &SystemScope, id: &str) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first("SELECT count(*) FROM uploads WHERE id = $1", params![id])?;
    Ok(found.is_some_and(|count| count > 0))
}

/// The upload under way of an image with this digest and size, if there is one.
pub fn upload_of_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    sha256: &Digest,
    size_bytes: u64,
) -> Result<Option<UploadRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, size_bytes, received_bytes, sha256, created_at, touched_at
         FROM uploads WHERE organisation = $1 AND sha256 = $2 AND size_bytes = $3
         ORDER BY received_bytes DESC LIMIT 1",
        params![scope.organisation().as_str(), sha256.to_string(), size_bytes],
    )
}

/// How many uploads the organisation has begun.
pub fn count_uploads(tx: &mut Tx<'_>, scope: &Scope) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM uploads WHERE organisation = $1",
        params![scope.organisation().as_str()],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// When the upload that has not grown for longest grew last.
pub fn upload_touched_at(tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<i64>, StoreError> {
    tx.first(
        "SELECT touched_at FROM uploads WHERE organisation = $1 ORDER BY touched_at LIMIT 1",
        params![scope.organisation().as_str()],
    )
}

/// Bytes from `from` to `to` are stored; false when the upload is no longer at `from`.
pub fn grow_upload(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    from: u64,
    to: u64,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE uploads SET received_bytes = $4, touched_at = $5
         WHERE organisation = $1 AND id = $2 AND received_bytes = $3",
        params![scope.organisation().as_str(), id, from, to, now],
    )?;
    Ok(changed > 0)
}

/// Forgets an upload; false when there was none.
pub fn delete_upload(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "DELETE FROM uploads WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )?;
    Ok(changed > 0)
}

/// Uploads of every organisation that have not grown since `before`.
pub fn idle_uploads(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
    limit: u32,
) -> Result<Vec<UploadRow>, StoreError> {
    tx.all(
        "SELECT id, organisation, size_bytes, received_bytes, sha256, created_at, touched_at
         FROM uploads WHERE touched_at < $1 ORDER BY touched_at LIMIT $2",
        params![before, limit],
    )
}

/// Stores a software bill of materials under its digest; the same one twice is stored once.
pub fn put_sbom(
    tx: &mut Tx<'_>,
    scope: &Scope,
    sha256: &Digest,
    document: &[u8],
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sboms (organisation, sha256, document, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (organisation, sha256) DO NOTHING",
        params![scope.organisation().as_str(), sha256.to_string(), document, now],
    )?;
    Ok(())
}

/// The software bill of materials with this digest.
pub fn sbom(
    tx: &mut Tx<'_>,
    scope: &Scope,
    sha256: &Digest,
) -> Result<Option<Vec<u8>>, StoreError> {
    tx.first(
        "SELECT document FROM sboms WHERE organisation = $1 AND sha256 = $2",
        params![scope.organisation().as_str(), sha256.to_string()],
    )
}
