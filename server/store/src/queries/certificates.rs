use otaru_wire::ThingName;

use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// A device certificate the authority issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// Serial number, lower hex.
    pub serial: String,
    /// Organisation of the device.
    pub organisation: otaru_wire::OrganisationId,
    /// The one thing it names.
    pub thing: ThingName,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl FromRow for CertificateRow {
    fn from_row(row: &mut Row) -> Result<CertificateRow, StoreError> {
        Ok(CertificateRow {
            serial: row.text("certificates.serial")?,
            organisation: row.parsed("certificates.organisation")?,
            thing: row.parsed("certificates.thing")?,
            revoked_at: row.opt_int("certificates.revoked_at")?,
        })
    }
}

/// Remembers an issued certificate.
pub fn insert_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    serial: &str,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO certificates (serial, organisation, thing, created_at, revoked_at)
         VALUES ($1, $2, $3, $4, NULL)",
        params![serial, scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// The certificate with this serial: it tells which device is calling.
pub fn certificate(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    serial: &str,
) -> Result<Option<CertificateRow>, StoreError> {
    tx.first(
        "SELECT serial, organisation, thing, revoked_at FROM certificates WHERE serial = $1",
        params![serial],
    )
}

/// Revokes every certificate of a device.
pub fn revoke_certificates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE certificates SET revoked_at = $3
         WHERE organisation = $1 AND thing = $2 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}
