use otaru_wire::{OrganisationId, TemplateName};

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// A certificate of a whole batch, good for its provisioning alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCertificateRow {
    /// SHA-256 of its issuer's certificate, lower hex.
    pub issuer: String,
    /// Serial number, lower hex.
    pub serial: String,
    /// Organisation its devices will belong to.
    pub organisation: OrganisationId,
    /// The template it provisions by.
    pub template: TemplateName,
    /// When it was issued.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl ClaimCertificateRow {
    /// Whether it opens anything.
    pub fn holds(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

impl FromRow for ClaimCertificateRow {
    fn from_row(row: &mut Row) -> Result<ClaimCertificateRow, StoreError> {
        Ok(ClaimCertificateRow {
            issuer: row.text("claim_certificates.issuer")?,
            serial: row.text("claim_certificates.serial")?,
            organisation: row.parsed("claim_certificates.organisation")?,
            template: row.parsed("claim_certificates.template")?,
            created_at: row.int("claim_certificates.created_at")?,
            expires_at: row.int("claim_certificates.expires_at")?,
            revoked_at: row.opt_int("claim_certificates.revoked_at")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_claim_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT issuer, serial, organisation, template, created_at, expires_at, revoked_at
             FROM claim_certificates ",
            $rest
        )
    };
}

/// Remembers an issued claim certificate.
pub fn insert_claim_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    claim: &ClaimCertificateRow,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO claim_certificates (issuer, serial, organisation, template, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            &claim.issuer,
            &claim.serial,
            scope.organisation().as_str(),
            claim.template.as_str(),
            claim.created_at,
            claim.expires_at
        ],
    )?;
    Ok(())
}

/// The claim certificate of this issuer with this serial: it tells which batch is calling.
pub fn claim_certificate(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    issuer: &str,
    serial: &str,
) -> Result<Option<ClaimCertificateRow>, StoreError> {
    tx.first(
        select_claim_certificates!("WHERE issuer = $1 AND serial = $2"),
        params![issuer, serial],
    )
}

/// Claim certificates that were revoked since, by whichever server.
pub fn revoked_claim_certificates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    since: i64,
) -> Result<Vec<ClaimCertificateRow>, StoreError> {
    tx.all(select_claim_certificates!("WHERE revoked_at >= $1"), params![since])
}

/// A template's claim certificates, oldest first.
pub fn claim_certificates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
) -> Result<Vec<ClaimCertificateRow>, StoreError> {
    tx.all(
        select_claim_certificates!(
            "WHERE organisation = $1 AND template = $2 ORDER BY created_at, serial"
        ),
        params![scope.organisation().as_str(), template.as_str()],
    )
}

/// Revokes a claim certificate and returns it; `None` when there is none to revoke.
pub fn revoke_claim_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    serial: &str,
    now: i64,
) -> Result<Option<ClaimCertificateRow>, StoreError> {
    tx.first(
        "UPDATE claim_certificates SET revoked_at = $3
         WHERE organisation = $1 AND serial = $2 AND revoked_at IS NULL
         RETURNING issuer, serial, organisation, template, created_at, expires_at, revoked_at",
        params![scope.organisation().as_str(), serial, now],
    )
}
