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
    /// Serial number of the certificate whose place it takes.
    pub renews: Option<String>,
    /// SHA-256 of its public key, lower hex, where it is known.
    pub key_sha256: Option<String>,
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
            renews: row.opt_text("certificates.renews")?,
            key_sha256: row.opt_text("certificates.key_sha256")?,
        })
    }
}

/// By what a certificate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    /// SHA-256 of its issuer's certificate, lower hex.
    pub issuer: String,
    /// Serial number, lower hex; unique for its issuer.
    pub serial: String,
}

impl FromRow for CertificateName {
    fn from_row(row: &mut Row) -> Result<CertificateName, StoreError> {
        Ok(CertificateName {
            issuer: row.text("certificates.issuer")?,
            serial: row.text("certificates.serial")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT issuer, serial, organisation, thing, created_at, revoked_at, renews,
                 key_sha256
             FROM certificates ",
            $rest
        )
    };
}

/// Remembers a device's certificate. [`StoreError::Duplicate`] if it is known.
pub fn insert_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: &CertificateName,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    let CertificateName { issuer, serial } = certificate;
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

/// Certificates that are to take this one's place, and that nobody has connected with.
pub fn unused_renewals(
    tx: &mut Tx<'_>,
    scope: &Scope,
    renewed: &CertificateRow,
) -> Result<Vec<CertificateRow>, StoreError> {
    tx.all(
        select_certificates!(
            "WHERE organisation = $1 AND renews_issuer = $2 AND renews = $3 AND used_at IS NULL
                 AND revoked_at IS NULL"
        ),
        params![scope.organisation().as_str(), &renewed.issuer, &renewed.serial],
    )
}

/// Drops certificates that were revoked and have ended before `before`; returns how many.
pub fn trim_certificates(tx: &mut Tx<'_>, _: &SystemScope, before: i64) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM certificates WHERE revoked_at < $1 AND not_after < $1", params![before])
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
    for sql in [
        "UPDATE certificates SET issuer = $1 WHERE issuer = ''",
        "UPDATE certificates SET renews_issuer = $1 WHERE renews_issuer = ''",
    ] {
        tx.execute(sql, params![issuer])?;
    }
    Ok(())
}

/// What is known of a certificate besides whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateSaid<'a> {
    /// When it ends, in milliseconds since the epoch.
    pub not_after: i64,
    /// SHA-256 of its public key, where it is known.
    pub key_sha256: Option<&'a str>,
}

/// Notes what is known of a device's certificate.
pub fn set_certificate_said(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: &CertificateName,
    thing: &ThingName,
    said: CertificateSaid<'_>,
) -> Result<(), StoreError> {
    let organisation = scope.organisation().as_str();
    let CertificateName { issuer, serial } = certificate;
    tx.execute(
        "UPDATE certificates SET not_after = $5, key_sha256 = $6
         WHERE organisation = $1 AND issuer = $2 AND serial = $3 AND thing = $4",
        params![organisation, issuer, serial, thing.as_str(), said.not_after, said.key_sha256],
    )?;
    Ok(())
}

/// Notes when a device's newest certificate ends, of those that work. One that is to take
/// another's place counts from when it was used.
pub fn set_certificate_end(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET certificate_ends_at = (
             SELECT not_after FROM certificates
             WHERE certificates.organisation = $1 AND certificates.thing = $2
                 AND revoked_at IS NULL AND (renews IS NULL OR used_at IS NOT NULL)
             ORDER BY certificates.created_at DESC, not_after DESC LIMIT 1)
         WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}

/// Whether a device has a certificate for this key that was not revoked.
pub fn has_certificate_of_key(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    key_sha256: &str,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM certificates
         WHERE organisation = $1 AND thing = $2 AND key_sha256 = $3 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), thing.as_str(), key_sha256],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// Notes that a certificate takes another one's place once it is used. Those that were to do so
/// before and were not used are revoked: their answer was lost. They are returned.
pub fn set_certificate_renews(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: &CertificateName,
    renews: &CertificateName,
    now: i64,
) -> Result<Vec<CertificateName>, StoreError> {
    let organisation = scope.organisation().as_str();
    let revoked = tx.all(
        "UPDATE certificates SET revoked_at = $4
         WHERE organisation = $1 AND renews_issuer = $2 AND renews = $3 AND used_at IS NULL
             AND revoked_at IS NULL
         RETURNING issuer, serial",
        params![organisation, &renews.issuer, &renews.serial, now],
    )?;
    let CertificateName { issuer, serial } = certificate;
    tx.execute(
        "UPDATE certificates SET renews_issuer = $4, renews = $5
         WHERE organisation = $1 AND issuer = $2 AND serial = $3",
        params![organisation, issuer, serial, &renews.issuer, &renews.serial],
    )?;
    Ok(revoked)
}

/// Notes that a device came with a certificate, and retires the one whose place it takes.
/// `None` unless one was retired.
pub fn use_certificate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: &CertificateName,
    now: i64,
) -> Result<Option<CertificateName>, StoreError> {
    let organisation = scope.organisation().as_str();
    let CertificateName { issuer, serial } = certificate;
    // Asked first: devices come all the time, and a write makes everybody look again.
    let renews: Option<CertificateName> = tx.first(
        "SELECT renews_issuer, renews FROM certificates
         WHERE organisation = $1 AND issuer = $2 AND serial = $3 AND used_at IS NULL
             AND renews IS NOT NULL",
        params![organisation, issuer, serial],
    )?;
    let Some(renews) = renews else { return Ok(None) };
    tx.execute(
        "UPDATE certificates SET used_at = $4
         WHERE organisation = $1 AND issuer = $2 AND serial = $3",
        params![organisation, issuer, serial, now],
    )?;
    let retired = tx.execute(
        "UPDATE certificates SET revoked_at = $4
         WHERE organisation = $1 AND issuer = $2 AND serial = $3 AND revoked_at IS NULL",
        params![organisation, &renews.issuer, &renews.serial, now],
    )?;
    Ok((retired > 0).then_some(renews))
}
