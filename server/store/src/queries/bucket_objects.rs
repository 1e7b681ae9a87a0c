//! What was found in the watched bucket.

use otaru_wire::{Digest, OrganisationId, ProductName, ReleaseVersion};

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// An object of the watched bucket, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketObjectRow {
    /// Where it is, below the watched folder.
    pub path: String,
    /// Whose product it is for; the first organisation's, where there is no such product.
    pub organisation: OrganisationId,
    /// The bucket's word for its bytes.
    pub tag: String,
    /// Its length.
    pub size_bytes: u64,
    /// When it was put there.
    pub modified_at: i64,
    /// When the server looked at it.
    pub found_at: i64,
    /// The product that its path names.
    pub product: Option<String>,
    /// The version that its path names.
    pub version: Option<String>,
    /// Its image, if it was taken.
    pub sha256: Option<Digest>,
    /// Why it was refused, if it was.
    pub code: Option<String>,
    /// That, for people.
    pub detail: Option<String>,
    /// Whether a release or draft of its name has its image.
    pub is_signed: bool,
}

impl FromRow for BucketObjectRow {
    fn from_row(row: &mut Row) -> Result<BucketObjectRow, StoreError> {
        Ok(BucketObjectRow {
            path: row.text("bucket_objects.path")?,
            organisation: row.parsed("bucket_objects.organisation")?,
            tag: row.text("bucket_objects.tag")?,
            size_bytes: row.unsigned("bucket_objects.size_bytes")?,
            modified_at: row.int("bucket_objects.modified_at")?,
            found_at: row.int("bucket_objects.found_at")?,
            product: row.opt_text("bucket_objects.product")?,
            version: row.opt_text("bucket_objects.version")?,
            sha256: row.opt_parsed("bucket_objects.sha256")?,
            code: row.opt_text("bucket_objects.code")?,
            detail: row.opt_text("bucket_objects.detail")?,
            is_signed: row.flag("is_signed")?,
        })
    }
}

/// A query of whole objects.
macro_rules! select_objects {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT path, organisation, tag, size_bytes, modified_at, found_at, product, version,
                 sha256, code, detail,
                 CAST(CASE WHEN EXISTS (SELECT 1 FROM releases
                         WHERE releases.product = bucket_objects.product
                             AND releases.version = bucket_objects.version
                             AND releases.sha256 = bucket_objects.sha256)
                     OR EXISTS (SELECT 1 FROM drafts
                         WHERE drafts.product = bucket_objects.product
                             AND drafts.version = bucket_objects.version
                             AND drafts.sha256 = bucket_objects.sha256)
                 THEN 1 ELSE 0 END AS BIGINT) AS is_signed
             FROM bucket_objects ",
            $($rest),+
        )
    };
}

/// Everything that was found, of every organisation: what is the same needs no second look.
pub fn all_bucket_objects(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<BucketObjectRow>, StoreError> {
    tx.all(select_objects!("ORDER BY path"), params![])
}

/// What was found for an organisation, by path.
pub fn bucket_objects(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<BucketObjectRow>, StoreError> {
    tx.all(
        select_objects!("WHERE organisation = $1 AND path > $2 ORDER BY path LIMIT $3"),
        params![scope.organisation().as_str(), after, limit],
    )
}

/// The image that was found for a release.
pub fn bucket_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<Digest>, StoreError> {
    tx.first(
        "SELECT sha256 FROM bucket_objects WHERE organisation = $1 AND product = $2
             AND version = $3 AND sha256 IS NOT NULL",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

/// Remembers what became of an object, in place of what was known of its path.
pub fn put_bucket_object(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    row: &BucketObjectRow,
) -> Result<(), StoreError> {
    forget_bucket_object(tx, &row.path)?;
    tx.execute(
        "INSERT INTO bucket_objects (path, organisation, tag, size_bytes, modified_at, found_at,
             product, version, sha256, code, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            row.path.as_str(),
            row.organisation.as_str(),
            row.tag.as_str(),
            row.size_bytes,
            row.modified_at,
            row.found_at,
            row.product.as_deref(),
            row.version.as_deref(),
            row.sha256.map(|digest| digest.to_string()),
            row.code.as_deref(),
            row.detail.as_deref()
        ],
    )?;
    Ok(())
}

/// Forgets objects that are in the bucket no more.
pub fn forget_bucket_objects(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    paths: &[String],
) -> Result<(), StoreError> {
    paths.iter().try_for_each(|path| forget_bucket_object(tx, path))
}

/// Forgets what was found for a release: what is in the bucket still is looked at again.
pub fn forget_bucket_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM bucket_objects WHERE organisation = $1 AND product = $2 AND version = $3",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )?;
    Ok(())
}

fn forget_bucket_object(tx: &mut Tx<'_>, path: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM bucket_objects WHERE path = $1", params![path]).map(drop)
}
