//! Which patches there are, and which are wanted.

use otaru_wire::{Digest, OrganisationId, ProductName, ReleaseVersion};

use crate::{
    PatchKey, PatchRow, ReleaseRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, Value, params},
};

impl FromRow for PatchRow {
    fn from_row(row: &mut Row) -> Result<PatchRow, StoreError> {
        let base = match row.text("patches.base")?.as_str() {
            "" => None,
            base => Some(base.parse().map_err(|_| StoreError::corrupt("patches.base", base))?),
        };
        let target = row.parsed("patches.target")?;
        let codec = small(row.unsigned("patches.codec")?, "patches.codec")?;
        Ok(PatchRow {
            key: PatchKey { base, target, codec },
            state: row.parsed("patches.state")?,
            place: small(row.unsigned("patches.place")?, "patches.place")?,
            due_at: row.int("patches.due_at")?,
            attempts: small(row.unsigned("patches.attempts")?, "patches.attempts")?,
            waits: small(row.unsigned("patches.waits")?, "patches.waits")?,
            reason: row.opt_parsed("patches.reason")?,
            detail: row.opt_text("patches.detail")?,
            sha256: row.opt_parsed("patches.sha256")?,
            size_bytes: row.opt_int("patches.size_bytes")?.map(i64::unsigned_abs),
            took_ms: row.opt_int("patches.took_ms")?.map(i64::unsigned_abs),
            made_at: row.opt_int("patches.made_at")?,
            created_at: row.int("patches.created_at")?,
        })
    }
}

fn small<T: TryFrom<u64>>(number: u64, what: &'static str) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::corrupt(what, number))
}

/// A query of whole patches.
macro_rules! select_patches {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT base, target, codec, state, place, due_at, attempts, waits, reason, detail,
             sha256, size_bytes, took_ms, made_at, created_at FROM patches ",
            $($rest),+
        )
    };
}
pub(super) use select_patches;

impl PatchKey {
    /// As the table has it.
    pub(super) fn values(&self) -> [Value; 3] {
        let base = self.base.map(|base| base.to_string()).unwrap_or_default();
        [base.into(), self.target.to_string().into(), u32::from(self.codec).into()]
    }
}

/// Wants a patch; false when it was wanted before.
pub fn insert_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    key: &PatchKey,
    place: u32,
    now: i64,
) -> Result<bool, StoreError> {
    let [base, target, codec] = key.values();
    let changed = tx.execute(
        "INSERT INTO patches (base, target, codec, place, state, due_at, attempts, waits, created_at)
         VALUES ($1, $2, $3, $4, 'waiting', $5, 0, 0, $5)
         ON CONFLICT (target, codec, base) DO NOTHING",
        &[base, target, codec, place.into(), now.into()],
    )?;
    Ok(changed > 0)
}

/// The patch, or the work of making it, whoever wants it.
pub fn patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    key: &PatchKey,
) -> Result<Option<PatchRow>, StoreError> {
    tx.first(select_patches!("WHERE base = $1 AND target = $2 AND codec = $3"), &key.values())
}

/// Patches that were not made for what settings say of lengths, of each target the packed image first.
pub fn skipped_patches(tx: &mut Tx<'_>, _: &SystemScope) -> Result<Vec<PatchRow>, StoreError> {
    tx.all(
        select_patches!(
            "WHERE state = 'skipped' AND reason IN ('patch_too_large', 'image_too_large')
             ORDER BY target, codec, place, base"
        ),
        params![],
    )
}

/// How long an image of a release is, whoever published it; none when it is not stored.
pub fn image_bytes(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
) -> Result<Option<u64>, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT size_bytes FROM releases WHERE sha256 = $1 AND image_deleted_at IS NULL LIMIT 1",
        params![sha256.to_string()],
    )?;
    Ok(found.map(i64::unsigned_abs))
}

/// How many patches, without the packed image, are wanted of this codec to this image; those that
/// turned out to be of no use left out.
pub fn count_patch_bases(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    target: &Digest,
    codec: u8,
) -> Result<u32, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM patches WHERE target = $1 AND codec = $2 AND base <> ''
             AND state <> 'skipped'",
        params![target.to_string(), u32::from(codec)],
    )?;
    Ok(u32::try_from(found.unwrap_or(0)).unwrap_or(u32::MAX))
}

/// Patches to the image of a release, those from images of other products or organisations
/// left out: whoever sees these knows both images.
pub fn patches_of_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<Vec<PatchRow>, StoreError> {
    tx.all(
        select_patches!(
            "WHERE target = $1 AND (base = '' OR EXISTS (SELECT 1 FROM releases
                 WHERE organisation = $2 AND product = $3 AND releases.sha256 = patches.base))
             ORDER BY codec, place, base"
        ),
        params![
            release.sha256.to_string(),
            scope.organisation().as_str(),
            release.product.as_str()
        ],
    )
}

/// The stored patches to a product's image, best first: from this base, which is an image of the
/// same product, or else the packed image; by the codec of the key or one of a smaller dictionary,
/// which whoever has room for the larger has room for.
pub fn ready_patches(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    key: &PatchKey,
) -> Result<Vec<PatchRow>, StoreError> {
    let [base, target, codec] = key.values();
    let (organisation, product) = (scope.organisation().as_str(), product.as_str());
    tx.all(
        select_patches!(
            "WHERE target = $2 AND codec <= $3 AND state = 'ready' AND (base = '' OR (base = $1
                 AND EXISTS (SELECT 1 FROM releases WHERE organisation = $4 AND product = $5
                     AND releases.sha256 = patches.base)))
             ORDER BY CASE WHEN base = '' THEN 1 ELSE 0 END, codec DESC"
        ),
        &[base, target, codec, organisation.into(), product.into()],
    )
}

/// Images that devices of the product run which are in service, and that can be patched to this
/// release: those of its older releases, whose bytes are stored. Most used first, by devices that
/// follow the release's channel before others.
pub fn images_to_patch(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    limit: u32,
) -> Result<Vec<Digest>, StoreError> {
    tx.all(
        "SELECT running_sha256 FROM (
             SELECT running_sha256, count(*) AS runners,
                 sum(CASE WHEN coalesce(channel, 'stable') = $5 THEN 1 ELSE 0 END) AS followers
             FROM devices WHERE organisation = $1 AND product = $2
                 AND decommissioned_at IS NULL
                 AND running_sha256 IS NOT NULL AND running_sha256 <> $3
             GROUP BY running_sha256) AS running
         WHERE EXISTS (SELECT 1 FROM releases
             WHERE releases.organisation = $1 AND releases.product = $2
                 AND releases.sha256 = running.running_sha256
                 AND image_deleted_at IS NULL AND sequence < $4)
         ORDER BY followers DESC, runners DESC, running_sha256 LIMIT $6",
        params![
            scope.organisation().as_str(),
            release.product.as_str(),
            release.sha256.to_string(),
            release.sequence,
            &release.channel,
            limit
        ],
    )
}

impl FromRow for (OrganisationId, ProductName, ReleaseVersion) {
    fn from_row(row: &mut Row) -> Result<Self, StoreError> {
        let organisation = row.parsed("releases.organisation")?;
        Ok((organisation, row.parsed("releases.product")?, row.parsed("releases.version")?))
    }
}

/// The newest release of each channel of each product, of every organisation, that devices take.
pub fn newest_releases(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<(OrganisationId, ProductName, ReleaseVersion)>, StoreError> {
    tx.all(
        "SELECT organisation, product, version FROM releases
         WHERE (product, sequence) IN (SELECT product, max(sequence) FROM releases
             WHERE yanked_at IS NULL AND EXISTS (SELECT 1 FROM signing_keys
                 WHERE signing_keys.product = releases.product
                     AND key_id = releases.signer AND revoked = 0)
             GROUP BY product, channel)
         ORDER BY product, sequence",
        params![],
    )
}

/// Every release that has this image and is not withdrawn, whoever published it.
pub fn offers_of_image(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
) -> Result<Vec<(OrganisationId, ProductName, ReleaseVersion)>, StoreError> {
    tx.all(
        "SELECT organisation, product, version FROM releases
         WHERE sha256 = $1 AND yanked_at IS NULL ORDER BY product, sequence",
        params![sha256.to_string()],
    )
}

/// Forgets patches nobody can use any more: to images that no release offers, or from images
/// that are not stored. Answers the bytes that were stored of them.
pub fn forget_useless_patches(tx: &mut Tx<'_>, _: &SystemScope) -> Result<Vec<Digest>, StoreError> {
    let stored: Vec<String> = tx.all(
        "DELETE FROM patches
         WHERE NOT EXISTS (SELECT 1 FROM releases WHERE releases.sha256 = patches.target
                 AND yanked_at IS NULL AND image_deleted_at IS NULL)
             OR (base <> '' AND NOT EXISTS (SELECT 1 FROM releases
                 WHERE releases.sha256 = patches.base AND image_deleted_at IS NULL))
         RETURNING coalesce(sha256, '')",
        params![],
    )?;
    let stored = stored.iter().filter(|sha256| !sha256.is_empty());
    stored
        .map(|sha256| sha256.parse().map_err(|_| StoreError::corrupt("patches.sha256", sha256)))
        .collect()
}
