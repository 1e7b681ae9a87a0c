//! Who signed a release, and whether that counts.

use otaru_wire::{OrganisationId, ProductName, ReleaseVersion};

use crate::{
    Scope, SigningKeyRow, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// Remembers what a product's newest root document says about keys, in place of what the one
/// before it said.
pub fn set_signing_keys(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    product: &ProductName,
    keys: &[SigningKeyRow],
) -> Result<(), StoreError> {
    put_signing_keys(tx, product, keys)
}

pub(super) fn put_signing_keys(
    tx: &mut Tx<'_>,
    product: &ProductName,
    keys: &[SigningKeyRow],
) -> Result<(), StoreError> {
    tx.execute("DELETE FROM signing_keys WHERE product = $1", params![product.as_str()])?;
    for key in keys {
        // A list may name a key twice.
        tx.execute(
            "INSERT INTO signing_keys (product, key_id, revoked) VALUES ($1, $2, $3)
             ON CONFLICT (product, key_id) DO NOTHING",
            params![product.as_str(), key.key_id.as_str(), key.is_revoked],
        )?;
    }
    Ok(())
}

/// The newest root document of every product.
pub fn newest_root_of_each(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<(ProductName, Vec<u8>)>, StoreError> {
    tx.all(
        "SELECT product, document FROM roots WHERE number = (
             SELECT max(number) FROM roots AS newer WHERE newer.product = roots.product)",
        params![],
    )
}

impl FromRow for (ProductName, Vec<u8>) {
    fn from_row(row: &mut Row) -> Result<(ProductName, Vec<u8>), StoreError> {
        Ok((row.parsed("roots.product")?, row.bytes("roots.document")?))
    }
}

/// A release or draft of which it is not kept who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadManifest {
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// Product it is for.
    pub product: ProductName,
    /// Its version.
    pub version: ReleaseVersion,
    /// Its manifest.
    pub manifest: Vec<u8>,
}

impl FromRow for UnreadManifest {
    fn from_row(row: &mut Row) -> Result<UnreadManifest, StoreError> {
        Ok(UnreadManifest {
            organisation: row.parsed("releases.organisation")?,
            product: row.parsed("releases.product")?,
            version: row.parsed("releases.version")?,
            manifest: row.bytes("releases.manifest")?,
        })
    }
}

/// Releases and drafts of which it is not kept who signed them, of every organisation.
pub fn unread_manifests(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    limit: u32,
) -> Result<Vec<UnreadManifest>, StoreError> {
    tx.all(
        "SELECT organisation, product, version, manifest FROM releases WHERE signer IS NULL
         UNION ALL SELECT organisation, product, version, manifest FROM drafts WHERE signer IS NULL
         LIMIT $1",
        params![limit],
    )
}

/// Remembers who signed the release or draft of this version; empty when nobody can be found out.
pub fn set_signer(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    signer: &str,
) -> Result<(), StoreError> {
    let organisation = scope.organisation().as_str();
    tx.execute(
        "UPDATE releases SET signer = $4
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![organisation, product.as_str(), version.as_str(), signer],
    )?;
    tx.execute(
        "UPDATE drafts SET signer = $4
         WHERE organisation = $1 AND product = $2 AND version = $3",
        params![organisation, product.as_str(), version.as_str(), signer],
    )?;
    Ok(())
}

/// Makes offers of releases that devices would refuse due now.
pub fn look_again_at_untrusted_offers(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE offers SET due_at = $3 WHERE organisation = $1
             AND thing IN (SELECT thing FROM devices WHERE organisation = $1 AND product = $2)
             AND version IN (SELECT version FROM releases WHERE product = $2
                 AND NOT EXISTS (SELECT 1 FROM signing_keys
                     WHERE signing_keys.product = releases.product AND key_id = releases.signer
                         AND revoked = 0))",
        params![scope.organisation().as_str(), product.as_str(), now],
    )?;
    Ok(())
}
