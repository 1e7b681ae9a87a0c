use otaru_wire::ThingName;

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// A certificate that a device may come with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// SHA-256 of its issuer's certificate, lower hex; empty for the server's own authority in
    /// rows of earlier programs.
    pub issuer: String,
    /// Serial number, lower hex; unique for its issuer.
    pub serial: String,
    /// Organisation of the device.
    pub organisation: otaru_wire::OrganisationId,
    /// The one thing it names.
    pub thing: ThingName,
    /// When it was registered.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl FromRow for CertificateRow {
    fn from_row(row: &mut Row) -> Result<CertificateRow, StoreError> {
        Ok(CertificateRow {
            issuer: row.text("certificates.issuer")?,
            serial: row.text("certificates.serial")?,
            organisation: row.parsed("certificates.organisation")?,
            thing: row.parsed("certificates.thing")?,
            created_at: row.int("certificates.created_at")?,
            revoked_at: row.opt_int("certificates.revoked_at")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT issuer, serial, organisation, thing, created_at, revoked_at FROM certificates ",
            $rest
        )
    };
}

/// Remembers a device's certificate. [`StoreError::Duplicate`] if it is known.
pub fn insert_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    issuer: &str,
    serial: &str,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO certificates (issuer, serial, organisation, thing, created_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, NULL)",
        params![issuer, serial, scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// The certificate of this issuer with this serial number: it tells which device is calling.
/// `is_own` says that the issuer is an authority of the server's own.
pub fn certificate(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    issuer: &str,
    serial: &str,
    is_own: bool,
) -> Result<Option<CertificateRow>, StoreError> {
    // An earlier program, which may still run beside this one, says nothing of the issuer.
    let or_issuer = if is_own { "" } else { issuer };
    tx.first(
        select_certificates!("WHERE serial = $1 AND (issuer = $2 OR issuer = $3)"),
        params![serial, issuer, or_issuer],
    )
}

/// The certificates of a device, newest first.
pub fn certificates_of_thing(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Vec<CertificateRow>, StoreError> {
    tx.all(
        select_certificates!(
            "WHERE organisation = $1 AND thing = $2 ORDER BY created_at DESC, serial, issuer"
        ),
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Revokes a certificate of a device.
pub fn revoke_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: &CertificateRow,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE certificates SET revoked_at = $4
         WHERE organisation = $1 AND issuer = $2 AND serial = $3 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), &certificate.issuer, &certificate.serial, now],
    )?;
    Ok(())
}

/// Certificates that were revoked since, by whichever server.
pub fn revoked_certificates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    since: i64,
) -> Result<Vec<CertificateRow>, StoreError> {
    tx.all(select_certificates!("WHERE revoked_at >= $1"), params![since])
}

/// Says of certificates of the server's first authority that they are its own: an earlier program
/// knew of no other.
pub fn name_first_issuer(tx: &mut Tx<'_>, _: &SystemScope, issuer: &str) -> Result<(), StoreError> {
    tx.execute("UPDATE certificates SET issuer = $1 WHERE issuer = ''", params![issuer])?;
    Ok(())
}
