use otaru_doors::AuthorityCertificate;
use otaru_store::{ServerAuthorityRow, StandingCounts, StandingDeviceRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::clock;

/// An authority of the server's own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServerAuthorityObject {
    /// SHA-256 of its certificate, in hex: what it is known by.
    pub fingerprint: String,
    /// What it calls itself.
    pub subject: String,
    /// `signs` for the one that this server signs with, `believed` for those before it, `retired`
    /// for those that are believed no more.
    pub state: &'static str,
    /// Until when it holds.
    pub not_after: Option<String>,
    /// Devices that have a certificate of it, which is not revoked and not over.
    pub devices: u64,
    /// Claim certificates of it, likewise.
    pub claim_certificates: u64,
    /// Devices that wait for approval with a certificate of it.
    pub waiting: u64,
    /// When a server first had it.
    pub created_at: String,
    /// Since when it is believed no more.
    pub retired_at: Option<String>,
}

impl ServerAuthorityObject {
    /// What the API shows of a row; `signs` is the authority this server signs with.
    pub(crate) fn of(
        row: ServerAuthorityRow,
        standing: StandingCounts,
        signs: &str,
    ) -> ServerAuthorityObject {
        let read = AuthorityCertificate::from_der(&row.certificate).ok();
        let state = match row.retired_at {
            Some(_) => "retired",
            None if row.fingerprint == signs => "signs",
            None => "believed",
        };
        let StandingCounts { devices, claim_certificates, waiting } = standing;
        ServerAuthorityObject {
            fingerprint: row.fingerprint,
            not_after: read.as_ref().map(|read| time(clock::ms_of(read.not_after))),
            subject: read.map(|read| read.subject).unwrap_or_default(),
            state,
            devices,
            claim_certificates,
            waiting,
            created_at: time(row.created_at),
            retired_at: row.retired_at.map(time),
        }
    }
}

/// A device that has a certificate of an authority.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StandingDeviceObject {
    /// Its name.
    pub thing: String,
    /// The id of its organisation.
    pub organisation: String,
    /// When the last of its certificates of this authority ends.
    pub not_after: Option<String>,
}

impl From<StandingDeviceRow> for StandingDeviceObject {
    fn from(row: StandingDeviceRow) -> StandingDeviceObject {
        StandingDeviceObject {
            thing: row.thing.to_string(),
            organisation: row.organisation.to_string(),
            not_after: row.not_after.map(time),
        }
    }
}
