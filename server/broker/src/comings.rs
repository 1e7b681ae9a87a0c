//! How often one client may connect, and how many claims at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otaru_doors::PeerCertificate;

use crate::DeviceLimits;
use crate::allowance::{Allowance, Limit};

/// Fewer than this many are not looked through for those that are forgotten.
const REMEMBERED_MIN: usize = 1_024;

/// Who a client is before anybody has asked the service: issuer, serial number and key of its
/// certificate, and its client id.
type Name = [String; 4];

/// Issuer and serial number of a certificate.
type Certificate = (String, String);

/// Why a client may not come in now; it may later.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) why: Why,
    /// Whether it is the first of a row: the others need not be told of.
    pub(crate) is_first: bool,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It connects more often than a client may.
    TooOften,
    /// Its batch has as many connections as it may.
    TooMany,
}

impl Why {
    /// For the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Why::TooOften => "connects too often",
            Why::TooMany => "its batch has too many connections",
        }
    }
}

/// Who came lately.
pub(crate) struct Comings {
    limit: Limit,
    by_name: Mutex<ByName>,
    batch_connections: u32,
    claims: Arc<Mutex<HashMap<Certificate, Claims>>>,
}

#[derive(Default)]
struct ByName {
    clients: HashMap<Name, Came>,
    /// So many may be remembered until those that have not come for long are looked for again.
    room: usize,
}

struct Came {
    left: Allowance,
    is_told: bool,
}

#[derive(Default)]
struct Claims {
    connections: u32,
    is_told: bool,
}

impl Comings {
    pub(crate) fn new(limits: &DeviceLimits) -> Comings {
        Comings {
            limit: Limit::per_minute(limits.connects_per_min),
            by_name: Mutex::default(),
            batch_connections: limits.batch_connections,
            claims: Arc::default(),
        }
    }

    /// Notes that a client has come, unless it comes too often. The certificate is part of who it
    /// is: nobody uses up what another may.
    pub(crate) fn note(
        &self,
        certificate: &PeerCertificate,
        client_id: &str,
        now_ms: i64,
    ) -> Result<(), Later> {
        if self.limit.amount == 0 {
            return Ok(());
        }
        let PeerCertificate { issuer, serial, key_sha256, .. } = certificate;
        let name = [issuer.as_str(), serial, key_sha256, client_id].map(str::to_owned);
        let mut all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        all.make_room(now_ms);
        let full = || Came { left: Allowance::full(self.limit, now_ms), is_told: false };
        let came = all.clients.entry(name).or_insert_with(full);
        if came.left.wait(now_ms, 1).is_some() {
            let is_first = !std::mem::replace(&mut came.is_told, true);
            return Err(Later { why: Why::TooOften, is_first });
        }
        came.left.take(now_ms, 1);
        Ok(())
    }

    /// A place among the connections of a claim's certificate.
    pub(crate) fn claim(&self, certificate: &PeerCertificate) -> Result<ClaimPlace, Later> {
        let name = (certificate.issuer.clone(), certificate.serial.clone());
        let mut all = locked(&self.claims);
        let claims = all.entry(name.clone()).or_default();
        if self.batch_connections > 0 && claims.connections >= self.batch_connections {
            let is_first = !std::mem::replace(&mut claims.is_told, true);
            return Err(Later { why: Why::TooMany, is_first });
        }
        claims.connections += 1;
        Ok(ClaimPlace { certificate: name, claims: self.claims.clone() })
    }
}

impl ByName {
    fn make_room(&mut self, now_ms: i64) {
        if self.clients.len() >= self.room.max(REMEMBERED_MIN) {
            self.clients.retain(|_, came| !came.left.is_full(now_ms));
            self.room = 2 * self.clients.len();
        }
    }
}

/// One connection of a claim; free again when it is dropped.
pub(crate) struct ClaimPlace {
    certificate: Certificate,
    claims: Arc<Mutex<HashMap<Certificate, Claims>>>,
}

impl Drop for ClaimPlace {
    fn drop(&mut self) {
        let mut all = locked(&self.claims);
        let Some(claims) = all.get_mut(&self.certificate) else { return };
        claims.connections -= 1;
        if claims.connections == 0 {
            all.remove(&self.certificate);
        }
    }
}

fn locked(
    claims: &Mutex<HashMap<Certificate, Claims>>,
) -> MutexGuard<'_, HashMap<Certificate, Claims>> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(serial: &str) -> PeerCertificate {
        PeerCertificate {
            common_name: "clock-01".to_owned(),
            issuer: "issuer".to_owned(),
            serial: serial.to_owned(),
            organisation: None,
            key_sha256: "key".to_owned(),
        }
    }

    fn comings(connects_per_min: u32, batch_connections: u32) -> Comings {
        Comings::new(&DeviceLimits { connects_per_min, batch_connections, ..DeviceLimits::NONE })
    }

    fn too_often(is_first: bool) -> Result<(), Later> {
        Err(Later { why: Why::TooOften, is_first })
    }

    #[test]
    fn a_client_comes_so_often_and_keeps_no_other_out() {
        let (comings, one) = (comings(2, 0), certificate("1"));
        assert_eq!(comings.note(&one, "clock-01", 0), Ok(()));
        assert_eq!(comings.note(&one, "clock-01", 0), Ok(()));
        assert_eq!(comings.note(&one, "clock-01", 0), too_often(true));
        assert_eq!(comings.note(&one, "clock-01", 0), too_often(false));
        assert_eq!(comings.note(&certificate("2"), "clock-01", 0), Ok(()));
        let of_other_key = PeerCertificate { key_sha256: "other".to_owned(), ..one.clone() };
        assert_eq!(comings.note(&of_other_key, "clock-01", 0), Ok(()));
        assert_eq!(comings.note(&one, "clock-02", 0), Ok(()));
        assert_eq!(comings.note(&one, "clock-01", 30_000), Ok(()));
        assert_eq!(comings.note(&one, "clock-01", 30_000), too_often(false));
    }

    #[test]
    fn who_has_not_come_for_long_is_forgotten() {
        let (comings, one) = (comings(1, 0), certificate("1"));
        for number in 0..10 * REMEMBERED_MIN {
            let now_ms = 60_000 * i64::try_from(number / REMEMBERED_MIN).unwrap();
            assert_eq!(comings.note(&one, &format!("clock-{number}"), now_ms), Ok(()));
        }
        assert!(comings.by_name.lock().unwrap().clients.len() <= 2 * REMEMBERED_MIN);
    }

    #[test]
    fn a_place_of_a_claim_is_free_again() {
        let (comings, one) = (comings(0, 2), certificate("1"));
        let places = [comings.claim(&one).unwrap(), comings.claim(&one).unwrap()];
        assert!(comings.claim(&one).err().unwrap().is_first);
        assert!(!comings.claim(&one).err().unwrap().is_first);
        assert!(comings.claim(&certificate("2")).is_ok());
        drop(places);
        assert!(comings.claim(&one).is_ok());
        assert!(comings.claims.lock().unwrap().is_empty());
    }
}
