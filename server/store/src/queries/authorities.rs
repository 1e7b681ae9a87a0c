//! Authorities of others, which sign for devices of one organisation.

use otaru_wire::OrganisationId;

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// An authority that an organisation registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityRow {
    /// SHA-256 of its certificate, lower hex.
    pub fingerprint: String,
    /// Whose devices it signs for.
    pub organisation: OrganisationId,
    /// What they call it.
    pub label: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// SHA-256 of its public key, lower hex.
    pub key_sha256: String,
    /// When it was registered.
    pub created_at: i64,
    /// Certificates of devices that it signed, are registered and not revoked.
    pub certificates: u64,
}

impl FromRow for AuthorityRow {
    fn from_row(row: &mut Row) -> Result<AuthorityRow, StoreError> {
        Ok(AuthorityRow {
            fingerprint: row.text("authorities.fingerprint")?,
            organisation: row.parsed("authorities.organisation")?,
            label: row.text("authorities.label")?,
            certificate: row.bytes("authorities.certificate")?,
            key_sha256: row.text("authorities.key_sha256")?,
            created_at: row.int("authorities.created_at")?,
            certificates: row.unsigned("certificates")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_authorities {
    ($rest:literal) => {
        concat!(
            "SELECT fingerprint, organisation, label, certificate, key_sha256, created_at,
                 (SELECT count(*) FROM certificates
                  WHERE certificates.issuer = authorities.fingerprint
                      AND certificates.organisation = authorities.organisation
                      AND certificates.revoked_at IS NULL) AS certificates
             FROM authorities ",
            $rest
        )
    };
}

/// Registers an authority. [`StoreError::Duplicate`] if its certificate or key is registered,
/// for whomever.
pub fn insert_authority(
    tx: &mut Tx<'_>,
    scope: &Scope,
    authority: &AuthorityRow,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO authorities
             (fingerprint, organisation, label, certificate, key_sha256, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            &authority.fingerprint,
            scope.organisation().as_str(),
            &authority.label,
            authority.certificate.as_slice(),
            &authority.key_sha256,
            authority.created_at
        ],
    )?;
    Ok(())
}

/// The organisation's authority with this fingerprint.
pub fn authority(
    tx: &mut Tx<'_>,
    scope: &Scope,
    fingerprint: &str,
) -> Result<Option<AuthorityRow>, StoreError> {
    tx.first(
        select_authorities!("WHERE organisation = $1 AND fingerprint = $2"),
        params![scope.organisation().as_str(), fingerprint],
    )
}

/// Whether the organisation has this authority.
pub fn has_authority(
    tx: &mut Tx<'_>,
    scope: &Scope,
    fingerprint: &str,
) -> Result<bool, StoreError> {
    let found: Option<String> = tx.first(
        "SELECT fingerprint FROM authorities WHERE organisation = $1 AND fingerprint = $2",
        params![scope.organisation().as_str(), fingerprint],
    )?;
    Ok(found.is_some())
}

/// The organisation's authorities, by fingerprint.
pub fn authorities(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<AuthorityRow>, StoreError> {
    tx.all(
        select_authorities!(
            "WHERE organisation = $1 AND fingerprint > $2 ORDER BY fingerprint LIMIT $3"
        ),
        params![scope.organisation().as_str(), after, i64::from(limit)],
    )
}

/// The certificates of all authorities, DER: whom the ports believe.
pub fn all_authority_certificates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows: Vec<Certificate> =
        tx.all("SELECT certificate FROM authorities ORDER BY fingerprint", params![])?;
    Ok(rows.into_iter().map(|Certificate(der)| der).collect())
}

struct Certificate(Vec<u8>);

impl FromRow for Certificate {
    fn from_row(row: &mut Row) -> Result<Certificate, StoreError> {
        Ok(Certificate(row.bytes("authorities.certificate")?))
    }
}

/// Forgets an authority; false if there was none.
pub fn delete_authority(
    tx: &mut Tx<'_>,
    scope: &Scope,
    fingerprint: &str,
) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM authorities WHERE organisation = $1 AND fingerprint = $2",
        params![scope.organisation().as_str(), fingerprint],
    )?;
    Ok(removed > 0)
}
