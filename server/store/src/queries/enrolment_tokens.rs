use otaru_wire::{OrganisationId, ProductName, ThingName};

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// A token with which one device becomes a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentTokenRow {
    /// Public id.
    pub id: String,
    /// Organisation the device will belong to.
    pub organisation: OrganisationId,
    /// The thing it will be.
    pub thing: ThingName,
    /// What kind it is.
    pub product: ProductName,
    /// When the token was made.
    pub created_at: i64,
    /// When it stops working, also for who asks again.
    pub expires_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// What came of it, once it was used.
    pub used: Option<UsedEnrolment>,
}

/// What a device got for its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedEnrolment {
    /// When it asked first.
    pub at: i64,
    /// SHA-256 of its key.
    pub key_sha256: String,
    /// SHA-256 of its certificate's issuer's.
    pub issuer: String,
    /// Serial number of its certificate.
    pub serial: String,
    /// The certificate, PEM.
    pub certificate: String,
}

impl FromRow for EnrolmentTokenRow {
    fn from_row(row: &mut Row) -> Result<EnrolmentTokenRow, StoreError> {
        Ok(EnrolmentTokenRow {
            id: row.text("enrolment_tokens.id")?,
            organisation: row.parsed("enrolment_tokens.organisation")?,
            thing: row.parsed("enrolment_tokens.thing")?,
            product: row.parsed("enrolment_tokens.product")?,
            created_at: row.int("enrolment_tokens.created_at")?,
            expires_at: row.int("enrolment_tokens.expires_at")?,
            revoked_at: row.opt_int("enrolment_tokens.revoked_at")?,
            used: used(row)?,
        })
    }
}

fn used(row: &mut Row) -> Result<Option<UsedEnrolment>, StoreError> {
    let at = row.opt_int("enrolment_tokens.used_at")?;
    let key = row.opt_text("enrolment_tokens.key_sha256")?;
    let issuer = row.opt_text("enrolment_tokens.issuer")?;
    let serial = row.opt_text("enrolment_tokens.serial")?;
    let certificate = row.opt_text("enrolment_tokens.certificate")?;
    Ok(match (at, key, issuer, serial, certificate) {
        (Some(at), Some(key_sha256), Some(issuer), Some(serial), Some(certificate)) => {
            Some(UsedEnrolment { at, key_sha256, issuer, serial, certificate })
        }
        _ => None,
    })
}

/// A query of whole rows.
macro_rules! select_enrolment_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, organisation, thing, product, created_at, expires_at, revoked_at, used_at,
                 key_sha256, issuer, serial, certificate
             FROM enrolment_tokens ",
            $rest
        )
    };
}

/// Adds a token that was not used yet; `secret_sha256` is the digest of what opens it.
pub fn insert_enrolment_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    token: &EnrolmentTokenRow,
    secret_sha256: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO enrolment_tokens
             (id, organisation, thing, product, secret_sha256, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            &token.id,
            scope.organisation().as_str(),
            token.thing.as_str(),
            token.product.as_str(),
            secret_sha256,
            token.created_at,
            token.expires_at
        ],
    )?;
    Ok(())
}

/// The token with this digest of its secret, whatever its organisation: it tells who asks.
pub fn enrolment_token_by_secret(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    secret_sha256: &str,
) -> Result<Option<EnrolmentTokenRow>, StoreError> {
    tx.first(select_enrolment_tokens!("WHERE secret_sha256 = $1"), params![secret_sha256])
}

/// A token of the organisation.
pub fn enrolment_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
) -> Result<Option<EnrolmentTokenRow>, StoreError> {
    tx.first(
        select_enrolment_tokens!("WHERE organisation = $1 AND id = $2"),
        params![scope.organisation().as_str(), id],
    )
}

/// Tokens after `after` (an id), oldest first.
pub fn enrolment_tokens(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<EnrolmentTokenRow>, StoreError> {
    tx.all(
        select_enrolment_tokens!("WHERE organisation = $1 AND id > $2 ORDER BY id LIMIT $3"),
        params![scope.organisation().as_str(), after, limit],
    )
}

/// Notes what a device got for its token.
pub fn use_enrolment_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    used: &UsedEnrolment,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE enrolment_tokens SET used_at = $3, key_sha256 = $4, issuer = $5, serial = $6,
             certificate = $7
         WHERE organisation = $1 AND id = $2",
        params![
            scope.organisation().as_str(),
            id,
            used.at,
            &used.key_sha256,
            &used.issuer,
            &used.serial,
            &used.certificate
        ],
    )?;
    Ok(())
}

/// Revokes a token.
pub fn revoke_enrolment_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE enrolment_tokens SET revoked_at = $3
         WHERE organisation = $1 AND id = $2 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), id, now],
    )?;
    Ok(())
}

/// Revokes all tokens of a thing.
pub fn revoke_enrolment_tokens_of(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE enrolment_tokens SET revoked_at = $3
         WHERE organisation = $1 AND thing = $2 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// Drops tokens that stopped working before `before`; returns how many.
pub fn trim_enrolment_tokens(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM enrolment_tokens WHERE expires_at < $1", params![before])
}
