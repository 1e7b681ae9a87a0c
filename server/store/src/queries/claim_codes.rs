use otaru_wire::{Digest, OrganisationId, ThingName};

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// Stores the digest of a new claim code; the device's older unused codes stop working.
pub fn insert_claim_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    code: &Digest,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM claim_codes
         WHERE organisation = $1 AND thing = $2 AND used_at IS NULL AND shared_by IS NULL",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    tx.execute(
        "INSERT INTO claim_codes (code_sha256, organisation, thing, created_at, used_at)
         VALUES ($1, $2, $3, $4, NULL)",
        params![code.to_string(), scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// Stores the digest of a code that shares a device, in place of an unused older one.
pub fn insert_share_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    code: &Digest,
    shared_by: &str,
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM claim_codes
         WHERE organisation = $1 AND thing = $2 AND used_at IS NULL AND shared_by IS NOT NULL",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    tx.execute(
        "INSERT INTO claim_codes
             (code_sha256, organisation, thing, created_at, used_at, shared_by, expires_at)
         VALUES ($1, $2, $3, $4, NULL, $5, $6)",
        params![
            code.to_string(),
            scope.organisation().as_str(),
            thing.as_str(),
            now,
            shared_by,
            expires_at
        ],
    )?;
    Ok(())
}

/// Makes the unused share codes of a device worthless.
pub fn remove_share_codes(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM claim_codes
         WHERE organisation = $1 AND thing = $2 AND used_at IS NULL AND shared_by IS NOT NULL",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}

/// What a code was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedCode {
    /// The device.
    pub thing: ThingName,
    /// User id of who shares it; `None` when the code makes an owner.
    pub shared_by: Option<String>,
}

impl FromRow for UsedCode {
    fn from_row(row: &mut Row) -> Result<UsedCode, StoreError> {
        Ok(UsedCode {
            thing: row.parsed("claim_codes.thing")?,
            shared_by: row.opt_text("claim_codes.shared_by")?,
        })
    }
}

/// Uses up a code and returns what it was for; `None` when it is unknown, used or expired.
pub fn use_claim_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    code: &Digest,
    now: i64,
) -> Result<Option<UsedCode>, StoreError> {
    tx.first(
        "UPDATE claim_codes SET used_at = $3
         WHERE organisation = $1 AND code_sha256 = $2 AND used_at IS NULL
             AND (expires_at IS NULL OR expires_at > $3)
         RETURNING thing, shared_by",
        params![scope.organisation().as_str(), code.to_string(), now],
    )
}

/// Whether a code works at `now`; it is not used up.
pub fn claim_code_works(
    tx: &mut Tx<'_>,
    scope: &Scope,
    code: &Digest,
    now: i64,
) -> Result<bool, StoreError> {
    let found: Option<String> = tx.first(
        "SELECT thing FROM claim_codes
         WHERE organisation = $1 AND code_sha256 = $2 AND used_at IS NULL
             AND (expires_at IS NULL OR expires_at > $3)",
        params![scope.organisation().as_str(), code.to_string(), now],
    )?;
    Ok(found.is_some())
}

/// The organisation of the device that a code is for which still works at `now`: it tells
/// where somebody signs up.
pub fn organisation_of_claim_code(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    code: &Digest,
    now: i64,
) -> Result<Option<OrganisationId>, StoreError> {
    let found: Option<String> = tx.first(
        "SELECT organisation FROM claim_codes WHERE code_sha256 = $1 AND used_at IS NULL
             AND (expires_at IS NULL OR expires_at > $2)",
        params![code.to_string(), now],
    )?;
    let corrupt = |text| StoreError::corrupt("claim_codes.organisation", text);
    found.map(|text| text.parse().map_err(|_| corrupt(text))).transpose()
}

/// Makes all unused codes of a device worthless.
pub fn remove_claim_codes(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM claim_codes WHERE organisation = $1 AND thing = $2 AND used_at IS NULL",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}
