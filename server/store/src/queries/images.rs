//! Who has an image.

use otaru_wire::Digest;

use crate::{
    ImageDeletionRow, ReleaseRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// Whether the image is another release's or draft's, of whichever organisation, or a patch.
pub fn is_image_of_another(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    release: &ReleaseRow,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM (
             SELECT product, version FROM releases
                 WHERE sha256 = $1 AND image_deleted_at IS NULL
             UNION ALL SELECT product, version FROM drafts WHERE sha256 = $1
             UNION ALL SELECT '', '' FROM patches WHERE sha256 = $1
             UNION ALL SELECT product, version FROM bucket_objects WHERE sha256 = $1
                 AND NOT EXISTS (SELECT 1 FROM releases
                     WHERE releases.product = bucket_objects.product
                         AND releases.version = bucket_objects.version
                         AND image_deleted_at IS NOT NULL)) AS holders
         WHERE NOT (product = $2 AND version = $3)",
        params![release.sha256.to_string(), release.product.as_str(), release.version.as_str()],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// Whether a release or draft has the image, of whichever organisation, or a patch is these bytes.
pub fn is_image_known(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM (
             SELECT product FROM releases WHERE sha256 = $1 AND image_deleted_at IS NULL
             UNION ALL SELECT product FROM drafts WHERE sha256 = $1
             UNION ALL SELECT '' FROM patches WHERE sha256 = $1
             UNION ALL SELECT product FROM bucket_objects WHERE sha256 = $1
                 AND NOT EXISTS (SELECT 1 FROM releases
                     WHERE releases.product = bucket_objects.product
                         AND releases.version = bucket_objects.version
                         AND image_deleted_at IS NOT NULL)) AS holders",
        params![sha256.to_string()],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// Things of the organisation that are in service and run the release (by its image or, where
/// their image is no release's, by the version they report), or are on their way to its image; a
/// few of them.
pub fn things_with_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT thing FROM devices WHERE organisation = $1 AND decommissioned_at IS NULL
             AND (running_sha256 = $2 OR (product = $3 AND running_version = $5 AND NOT EXISTS (
                 SELECT 1 FROM releases WHERE releases.product = devices.product
                     AND releases.sha256 = devices.running_sha256)))
         UNION SELECT thing FROM updates
             WHERE organisation = $1 AND product = $3 AND outcome IS NULL AND sha256 = $2
         ORDER BY thing LIMIT $4",
        params![
            scope.organisation().as_str(),
            release.sha256.to_string(),
            release.product.as_str(),
            limit,
            release.version.as_str()
        ],
    )
}

impl FromRow for ImageDeletionRow {
    fn from_row(row: &mut Row) -> Result<ImageDeletionRow, StoreError> {
        Ok(ImageDeletionRow {
            number: row.int("image_deletions.number")?,
            begun_at: row.int("image_deletions.begun_at")?,
            ended_at: row.opt_int("image_deletions.ended_at")?,
        })
    }
}

impl FromRow for Digest {
    fn from_row(row: &mut Row) -> Result<Digest, StoreError> {
        row.parsed("sha256")
    }
}

/// The newest deletion of the image, if there was one.
pub fn image_deletion(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
) -> Result<Option<ImageDeletionRow>, StoreError> {
    tx.first(
        "SELECT number, begun_at, ended_at FROM image_deletions WHERE sha256 = $1",
        params![sha256.to_string()],
    )
}

/// Notes that the image is about to be deleted; returns the number of this deletion.
pub fn begin_image_deletion(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
    now: i64,
) -> Result<i64, StoreError> {
    let number = tx.first(
        "INSERT INTO image_deletions (sha256, number, begun_at) VALUES ($1, 1, $2)
         ON CONFLICT (sha256) DO UPDATE SET number = image_deletions.number + 1,
             begun_at = excluded.begun_at, ended_at = NULL
         RETURNING number",
        params![sha256.to_string(), now],
    )?;
    number.ok_or_else(|| StoreError::corrupt("image_deletions", "nothing was returned"))
}

/// Notes that this deletion has ended; one that was begun since goes on.
pub fn end_image_deletion(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
    number: i64,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE image_deletions SET ended_at = $3 WHERE sha256 = $1 AND number = $2",
        params![sha256.to_string(), number, now],
    )?;
    Ok(())
}

/// Images whose deletion was begun before `before` and has not ended.
pub fn unfinished_image_deletions(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
) -> Result<Vec<Digest>, StoreError> {
    tx.all(
        "SELECT sha256 FROM image_deletions WHERE ended_at IS NULL AND begun_at < $1",
        params![before],
    )
}

/// Notes that a release's image is no longer stored.
pub fn set_image_deleted(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE releases SET image_deleted_at = $4
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![
            scope.organisation().as_str(),
            release.product.as_str(),
            release.version.as_str(),
            now
        ],
    )?;
    Ok(())
}
