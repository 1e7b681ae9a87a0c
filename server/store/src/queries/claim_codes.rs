use otaru_wire::{Digest, OrganisationId, ThingName};

use crate::{Scope, StoreError, SystemScope, Tx, value::params};

/// Stores the digest of a new claim code; the device's older unused codes stop working.
pub fn insert_claim_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    code: &Digest,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM claim_codes WHERE organisation = $1 AND thing = $2 AND used_at IS NULL",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    tx.execute(
        "INSERT INTO claim_codes (code_sha256, organisation, thing, created_at, used_at)
         VALUES ($1, $2, $3, $4, NULL)",
        params![code.to_string(), scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// Uses up a claim code and returns its device; `None` when it is unknown or used.
pub fn use_claim_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    code: &Digest,
    now: i64,
) -> Result<Option<ThingName>, StoreError> {
    let found: Option<String> = tx.first(
        "UPDATE claim_codes SET used_at = $3
         WHERE organisation = $1 AND code_sha256 = $2 AND used_at IS NULL RETURNING thing",
        params![scope.organisation().as_str(), code.to_string(), now],
    )?;
    match found {
        None => Ok(None),
        Some(thing) => {
            thing.parse().map(Some).map_err(|_| StoreError::corrupt("claim_codes.thing", thing))
        }
    }
}

/// The organisation of the device that an unused claim code is for: it tells where somebody
/// signs up.
pub fn organisation_of_claim_code(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    code: &Digest,
) -> Result<Option<OrganisationId>, StoreError> {
    let found: Option<String> = tx.first(
        "SELECT organisation FROM claim_codes WHERE code_sha256 = $1 AND used_at IS NULL",
        params![code.to_string()],
    )?;
    let corrupt = |text| StoreError::corrupt("claim_codes.organisation", text);
    found.map(|text| text.parse().map_err(|_| corrupt(text))).transpose()
}
