use std::time::SystemTime;

use otaru_doors::{AuthorityCertificate, DeviceTrust};
use otaru_store::{AuthorityRow, CertificateRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// An authority whose certificates are believed of the organisation's registered devices.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceAuthorityObject {
    /// SHA-256 of its certificate, in hex: what it is known by.
    pub fingerprint: String,
    /// What its organisation calls it.
    pub label: String,
    /// What it calls itself.
    pub subject: String,
    /// Until when it holds.
    pub not_after: Option<String>,
    /// Certificates of devices that it signed, are registered and not revoked.
    pub certificates: u64,
    /// When it was registered.
    pub created_at: String,
}

impl From<AuthorityRow> for DeviceAuthorityObject {
    fn from(row: AuthorityRow) -> DeviceAuthorityObject {
        let read = AuthorityCertificate::from_der(&row.certificate).ok();
        let ends = read.as_ref().and_then(|read| {
            let since = read.not_after.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        });
        DeviceAuthorityObject {
            fingerprint: row.fingerprint,
            label: row.label,
            subject: read.map(|read| read.subject).unwrap_or_default(),
            not_after: ends.map(time),
            certificates: row.certificates,
            created_at: time(row.created_at),
        }
    }
}

/// A certificate that a device may come with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CertificateObject {
    /// Serial number, in hex.
    pub serial: String,
    /// SHA-256 of its authority's certificate, in hex.
    pub issuer: String,
    /// Whether the server's own authority issued it.
    pub is_own: bool,
    /// When it was registered.
    pub created_at: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<String>,
    /// Serial number of the certificate that the device asked with for this one, if it renewed it.
    pub renews: Option<String>,
}

impl CertificateObject {
    /// What the API shows of a row.
    pub(crate) fn of(row: CertificateRow, trust: &DeviceTrust) -> CertificateObject {
        CertificateObject {
            // Rows of an earlier program say nothing: it had one authority.
            is_own: row.issuer.is_empty() || trust.is_own(&row.issuer),
            serial: row.serial,
            issuer: row.issuer,
            created_at: time(row.created_at),
            revoked_at: row.revoked_at.map(time),
            renews: row.renews,
        }
    }
}
