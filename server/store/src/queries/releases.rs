use otaru_fleet::{ApprovalState, Texts};
use otaru_wire::{Digest, OrganisationId, ProductName, ReleaseVersion};

use crate::{
    ReleaseRow, Scope, StoreError, SystemScope, Trust, Tx,
    value::{FromRow, Row, Value, json, params},
};

impl FromRow for ReleaseRow {
    fn from_row(row: &mut Row) -> Result<ReleaseRow, StoreError> {
        let mut release = ReleaseRow {
            product: row.parsed("releases.product")?,
            version: row.parsed("releases.version")?,
            sha256: row.parsed("releases.sha256")?,
            size_bytes: row.unsigned("releases.size_bytes")?,
            sequence: row.unsigned("releases.sequence")?,
            channel: row.text("releases.channel")?,
            notes: Texts::english(row.text("releases.notes")?),
            created_at: row.int("releases.created_at")?,
            safety: None,
            image: None,
            warnings: Vec::new(),
            security_counter: None,
            source: None,
            sbom: None,
            is_draft: false,
            approval: None,
            yanked_at: None,
            yank_reason: None,
            image_deleted_at: None,
            signer: None,
            trust: Trust::Retired,
        };
        if let Some(notes) = row.opt_json("releases.notes_by_language")? {
            release.notes = notes;
        }
        release.safety = row.opt_json("releases.safety")?;
        release.image = row.opt_json("releases.image")?;
        release.warnings = row.opt_json("releases.warnings")?.unwrap_or_default();
        let counter = row.opt_int("releases.security_counter")?;
        release.security_counter = counter.and_then(|counter| u32::try_from(counter).ok());
        release.source = row.opt_json("releases.source")?;
        release.sbom = row.opt_json("releases.sbom")?;
        release.approval = row.opt_json("releases.approval")?;
        release.is_draft = row.flag("releases.is_draft")?;
        release.yanked_at = row.opt_int("releases.yanked_at")?;
        release.yank_reason = row.opt_text("releases.yank_reason")?;
        release.image_deleted_at = row.opt_int("releases.image_deleted_at")?;
        release.signer = row.opt_text("releases.signer")?;
        release.trust = match row.opt_int("signing_keys.revoked")? {
            Some(0) => Trust::Trusted,
            Some(_) => Trust::Revoked,
            None => Trust::Retired,
        };
        Ok(release)
    }
}

/// What a draft and a release have in common, in the order that `from_row` takes it.
macro_rules! common_columns {
    () => {
        "product, version, sha256, size_bytes, sequence, channel, notes, created_at,
         notes_by_language, safety, image, warnings, security_counter, source, sbom, approval"
    };
}

/// A query of whole releases.
macro_rules! select_releases {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT ", common_columns!(), ", CAST(0 AS BIGINT) AS is_draft, yanked_at, yank_reason,
             image_deleted_at, signer, (SELECT revoked FROM signing_keys
                 WHERE signing_keys.product = releases.product AND key_id = releases.signer)
             FROM releases ",
            $($rest),+
        )
    };
}

pub(super) use {common_columns, select_releases};

/// A query of whole drafts.
macro_rules! select_drafts {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT ", common_columns!(), ", CAST(1 AS BIGINT) AS is_draft, NULL AS yanked_at,
             NULL AS yank_reason, NULL AS image_deleted_at, signer, (SELECT revoked FROM signing_keys
                 WHERE signing_keys.product = drafts.product AND key_id = drafts.signer)
             FROM drafts ",
            $($rest),+
        )
    };
}
pub(super) use select_drafts;

/// Stores a release, of which nobody was told yet. [`StoreError::Duplicate`] when its version
/// or sequence is taken; [`StoreError::Unapproved`] when nobody approved it whose word is needed.
pub fn insert_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    manifest: &[u8],
) -> Result<(), StoreError> {
    refuse_unapproved(tx, scope, release)?;
    tx.execute(
        "INSERT INTO releases (product, version, sha256, size_bytes, sequence, channel, notes,
             created_at, notes_by_language, safety, image, warnings, security_counter, source,
             sbom, approval, organisation, manifest, signer, tell_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, '')",
        &values(scope, release, manifest),
    )?;
    Ok(())
}

/// Puts a release in the place of the one of its version, of which everybody is told again.
/// [`StoreError::Duplicate`] when its sequence is another's; [`StoreError::Unapproved`] as for a
/// new one.
pub fn replace_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    manifest: &[u8],
) -> Result<(), StoreError> {
    refuse_unapproved(tx, scope, release)?;
    tx.execute(
        "UPDATE releases SET sha256 = $3, size_bytes = $4, sequence = $5, channel = $6, notes = $7,
             created_at = $8, notes_by_language = $9, safety = $10, image = $11, warnings = $12,
             security_counter = $13, source = $14, sbom = $15, approval = $16, manifest = $18,
             signer = $19, tell_after = ''
         WHERE organisation = $17 AND product = $1 AND version = $2",
        &values(scope, release, manifest),
    )?;
    Ok(())
}

/// The one door to what devices see: nothing comes through that needs a second person's word and
/// has none, whoever would write it.
fn refuse_unapproved(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<(), StoreError> {
    let needed: Option<i64> = tx.first(
        "SELECT count(*) FROM products
         WHERE organisation = $1 AND name = $2 AND needs_approval = 1",
        params![scope.organisation().as_str(), release.product.as_str()],
    )?;
    let state = release.approval.as_ref().map(|approval| approval.state);
    match needed.unwrap_or(0) > 0 && state != Some(ApprovalState::Approved) {
        true => Err(StoreError::Unapproved),
        false => Ok(()),
    }
}

/// What both tables hold, in the order of their INSERTs.
pub(super) fn values(scope: &Scope, release: &ReleaseRow, manifest: &[u8]) -> [Value; 19] {
    [
        release.product.as_str().into(),
        release.version.as_str().into(),
        release.sha256.to_string().into(),
        release.size_bytes.into(),
        release.sequence.into(),
        (&release.channel).into(),
        release.notes.read_in("en").into(),
        release.created_at.into(),
        json(&release.notes),
        release.safety.as_ref().map(json).into(),
        release.image.as_ref().map(json).into(),
        json(&release.warnings),
        release.security_counter.into(),
        release.source.as_ref().map(json).into(),
        release.sbom.as_ref().map(json).into(),
        release.approval.as_ref().map(json).into(),
        scope.organisation().as_str().into(),
        manifest.into(),
        release.signer.as_deref().into(),
    ]
}

/// A release that not every owner was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntoldRelease {
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// Product it is for.
    pub product: ProductName,
    /// Its version.
    pub version: ReleaseVersion,
}

impl FromRow for UntoldRelease {
    fn from_row(row: &mut Row) -> Result<UntoldRelease, StoreError> {
        Ok(UntoldRelease {
            organisation: row.parsed("releases.organisation")?,
            product: row.parsed("releases.product")?,
            version: row.parsed("releases.version")?,
        })
    }
}

/// Releases that not every owner was told of, of every organisation.
pub fn untold_releases(tx: &mut Tx<'_>, _: &SystemScope) -> Result<Vec<UntoldRelease>, StoreError> {
    tx.all(
        "SELECT organisation, product, version FROM releases WHERE tell_after IS NOT NULL
         ORDER BY product, sequence",
        params![],
    )
}

/// The thing name after which owners are still to be told of a release; `None` when all were.
pub fn tell_after(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<String>, StoreError> {
    tx.first(
        "SELECT tell_after FROM releases WHERE organisation = $1 AND product = $2 AND version = $3
             AND tell_after IS NOT NULL",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

/// Has every device looked at again with the product's newest trusted release of each channel.
pub fn tell_again_of_newest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE releases SET tell_after = '' WHERE organisation = $1 AND product = $2
             AND sequence IN (SELECT max(sequence) FROM releases
                 WHERE product = $2 AND yanked_at IS NULL
                     AND EXISTS (SELECT 1 FROM signing_keys
                         WHERE signing_keys.product = releases.product
                             AND key_id = releases.signer AND revoked = 0)
                 GROUP BY channel)",
        params![scope.organisation().as_str(), product.as_str()],
    )?;
    Ok(())
}

/// Remembers how far owners were told of a release; `None` when all were.
pub fn set_tell_after(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    tell_after: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE releases SET tell_after = $4
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![scope.organisation().as_str(), product.as_str(), version.as_str(), tell_after],
    )?;
    Ok(())
}

/// The release of this product and version.
pub fn release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<ReleaseRow>, StoreError> {
    tx.first(
        select_releases!("WHERE organisation = $1 AND product = $2 AND version = $3"),
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

/// The release of this product whose image has this digest; if several do, the newest that
/// devices take, else the newest.
pub fn release_by_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    sha256: &Digest,
) -> Result<Option<ReleaseRow>, StoreError> {
    tx.first(
        select_releases!(
            "WHERE organisation = $1 AND product = $2 AND sha256 = $3
             ORDER BY CASE WHEN EXISTS (SELECT 1 FROM signing_keys
                 WHERE signing_keys.product = releases.product AND key_id = releases.signer
                     AND revoked = 0) THEN 0 ELSE 1 END, sequence DESC LIMIT 1"
        ),
        params![scope.organisation().as_str(), product.as_str(), sha256.to_string()],
    )
}

/// The release's signed manifest.
pub fn release_manifest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<Vec<u8>>, StoreError> {
    tx.first(
        "SELECT manifest FROM releases
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![scope.organisation().as_str(), product.as_str(), version.as_str()],
    )
}

impl FromRow for Vec<u8> {
    fn from_row(row: &mut Row) -> Result<Vec<u8>, StoreError> {
        row.bytes("bytes")
    }
}

/// Releases and drafts of a product with a sequence below `below`, newest first.
pub fn releases(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    below: u64,
    limit: u32,
) -> Result<Vec<ReleaseRow>, StoreError> {
    tx.all(
        concat!(
            select_releases!("WHERE organisation = $1 AND product = $2 AND sequence < $3 "),
            "UNION ALL ",
            select_drafts!("WHERE organisation = $1 AND product = $2 AND sequence < $3 "),
            "ORDER BY sequence DESC LIMIT $4"
        ),
        params![scope.organisation().as_str(), product.as_str(), below, limit],
    )
}

/// The newest release of a channel that is not yanked, and that devices take.
pub fn newest_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    channel: &str,
) -> Result<Option<ReleaseRow>, StoreError> {
    tx.first(
        select_releases!(
            "WHERE organisation = $1 AND product = $2 AND channel = $3 AND yanked_at IS NULL
                 AND EXISTS (SELECT 1 FROM signing_keys
                     WHERE signing_keys.product = releases.product AND key_id = releases.signer
                         AND revoked = 0)
             ORDER BY sequence DESC LIMIT 1"
        ),
        params![scope.organisation().as_str(), product.as_str(), channel],
    )
}

/// Withdraws a release; false when it was withdrawn already or does not exist.
pub fn yank_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    reason: Option<&str>,
    now: i64,
) -> Result<bool, StoreError> {
    let organisation = scope.organisation().as_str();
    let changed = tx.execute(
        "UPDATE releases SET yanked_at = $4, yank_reason = $5
         WHERE organisation = $1 AND product = $2 AND version = $3 AND yanked_at IS NULL",
        params![organisation, product.as_str(), version.as_str(), now, reason],
    )?;
    Ok(changed > 0)
}

/// Every release that has this image.
pub fn releases_of_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    sha256: &Digest,
) -> Result<Vec<ReleaseRow>, StoreError> {
    tx.all(
        select_releases!("WHERE organisation = $1 AND sha256 = $2 ORDER BY sequence DESC"),
        params![scope.organisation().as_str(), sha256.to_string()],
    )
}

/// Every release that has this image, whoever published it: for who has shown no credential,
/// so that no scope is known.
pub fn releases_of_image_anywhere(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    sha256: &Digest,
) -> Result<Vec<ReleaseRow>, StoreError> {
    tx.all(
        select_releases!("WHERE sha256 = $1 ORDER BY sequence DESC"),
        params![sha256.to_string()],
    )
}
