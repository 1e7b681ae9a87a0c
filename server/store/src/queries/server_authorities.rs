//! Authorities of the server's own, of which one signs and others may be believed still.

use otaru_wire::{OrganisationId, ThingName};

use crate::{
    StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// An authority that every server of the database knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAuthorityRow {
    /// SHA-256 of its certificate, lower hex.
    pub fingerprint: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// When a server first had it.
    pub created_at: i64,
    /// Since when it is believed no more.
    pub retired_at: Option<i64>,
}

impl FromRow for ServerAuthorityRow {
    fn from_row(row: &mut Row) -> Result<ServerAuthorityRow, StoreError> {
        Ok(ServerAuthorityRow {
            fingerprint: row.text("server_authorities.fingerprint")?,
            certificate: row.bytes("server_authorities.certificate")?,
            created_at: row.int("server_authorities.created_at")?,
            retired_at: row.opt_int("server_authorities.retired_at")?,
        })
    }
}

/// What ends with an authority: certificates of it that are registered, not revoked and not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandingCounts {
    /// Devices that have one.
    pub devices: u64,
    /// Claim certificates.
    pub claim_certificates: u64,
    /// Devices that wait for approval with one.
    pub waiting: u64,
}

impl FromRow for StandingCounts {
    fn from_row(row: &mut Row) -> Result<StandingCounts, StoreError> {
        Ok(StandingCounts {
            devices: row.unsigned("devices")?,
            claim_certificates: row.unsigned("claim_certificates")?,
            waiting: row.unsigned("waiting")?,
        })
    }
}

/// A device that has a certificate of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingDeviceRow {
    /// Its name.
    pub thing: ThingName,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// When the last of its certificates of this authority ends, where that is known.
    pub not_after: Option<i64>,
}

impl FromRow for StandingDeviceRow {
    fn from_row(row: &mut Row) -> Result<StandingDeviceRow, StoreError> {
        Ok(StandingDeviceRow {
            thing: row.parsed("certificates.thing")?,
            organisation: row.parsed("certificates.organisation")?,
            not_after: row.opt_int("certificates.not_after")?,
        })
    }
}

/// Has every server of the database believe an authority; false if it was known, retired or not.
pub fn insert_server_authority(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    fingerprint: &str,
    certificate: &[u8],
    now: i64,
) -> Result<bool, StoreError> {
    let added = tx.execute(
        "INSERT INTO server_authorities (fingerprint, certificate, created_at)
         VALUES ($1, $2, $3) ON CONFLICT (fingerprint) DO NOTHING",
        params![fingerprint, certificate, now],
    )?;
    Ok(added > 0)
}

/// All authorities of the server's own, oldest first, retired ones too.
pub fn server_authorities(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<ServerAuthorityRow>, StoreError> {
    tx.all(
        "SELECT fingerprint, certificate, created_at, retired_at FROM server_authorities
         ORDER BY created_at, fingerprint",
        params![],
    )
}

/// What ends with an authority.
pub fn standing_on_server_authority(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    fingerprint: &str,
    now: i64,
) -> Result<StandingCounts, StoreError> {
    let counts = tx.first(
        "SELECT
             (SELECT count(DISTINCT thing) FROM certificates
              WHERE issuer = $1 AND revoked_at IS NULL
                  AND (not_after IS NULL OR not_after > $2)) AS devices,
             (SELECT count(*) FROM claim_certificates
              WHERE issuer = $1 AND revoked_at IS NULL AND expires_at > $2) AS claim_certificates,
             (SELECT count(*) FROM provisionings
              WHERE issuer = $1 AND state = 'waiting' AND not_after > $2) AS waiting",
        params![fingerprint, now],
    )?;
    Ok(counts.unwrap_or_default())
}

/// Devices that have a certificate of an authority, of whichever organisation, by name.
pub fn devices_on_server_authority(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    fingerprint: &str,
    after: &str,
    limit: u32,
    now: i64,
) -> Result<Vec<StandingDeviceRow>, StoreError> {
    tx.all(
        "SELECT thing, organisation, max(not_after) FROM certificates
         WHERE issuer = $1 AND revoked_at IS NULL AND (not_after IS NULL OR not_after > $2)
             AND thing > $3
         GROUP BY thing, organisation ORDER BY thing LIMIT $4",
        params![fingerprint, now, after, i64::from(limit)],
    )
}

/// Has no server of the database believe an authority any more; false if none did.
pub fn retire_server_authority(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    fingerprint: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let retired = tx.execute(
        "UPDATE server_authorities SET retired_at = $2
         WHERE fingerprint = $1 AND retired_at IS NULL",
        params![fingerprint, now],
    )?;
    Ok(retired > 0)
}
