//! Certificates of devices: which there are, whose they are, and their end.

use std::time::Duration;

use otaru_authority::{CertificateRequest, IssuedDevice, SignedDevice, UNNAMED_HOLDER};
use otaru_doors::{CertificateFacts, DeviceTrust, PeerCertificate};
use otaru_fleet::Permission;
use otaru_store::{
    CertificateName, CertificateRow, CertificateSaid, Notice, Scope, StoreError, SystemScope, Tx,
};
use otaru_wire::ThingName;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::audit::{Object, Who};
use crate::devices::{in_service, reachable};
use crate::{
    Actor, App, CertificateObject, DevicePrincipal, OperationError, Reach, Refusal, clock,
    device_authorities, serial_numbers::serial_number, server_keys,
};

/// Certificates that one device may have at once, those that were revoked left out.
const MOST_CERTIFICATES: usize = 100;

/// Those that are looked at for registering a device: authorities of one organisation.
const ALL: u32 = device_authorities::MOST_AUTHORITIES;

/// The certificates of a device, newest first, revoked ones too.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::Forbidden`].
pub async fn list_certificates(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<Vec<CertificateObject>, OperationError> {
    let (actor, trust) = (actor.clone(), app.inner.trust.clone());
    let work = move |tx: &mut Tx<'_>| {
        reachable(tx, &actor, Reach::Fleet, &thing, Permission::ReadFleet)?;
        let rows = otaru_store::certificates_of_thing(tx, &actor.scope, &thing)?;
        let object = |row| CertificateObject::of(row, &trust);
        Ok::<_, OperationError>(rows.into_iter().map(object).collect())
    };
    app.inner.store.read(work).await
}

/// Lets a device come with another certificate of one of its organisation's own authorities, as
/// [`crate::register_device`] takes it; those it has go on to work.
///
/// # Errors
/// [`Refusal::CertificateRefused`], [`Refusal::CertificateTaken`], [`Refusal::DeviceUnknown`],
/// [`Refusal::DeviceDecommissioned`], [`Refusal::Forbidden`].
pub async fn add_certificate(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    certificate: &str,
) -> Result<CertificateObject, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let chain = read_chain(certificate)?;
    let (actor, now, trust) = (actor.clone(), app.now_ms(), app.inner.trust.clone());
    let work = move |tx: &mut Tx<'_>| {
        let scope = &actor.scope;
        let device = reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        in_service(&device)?;
        let known = otaru_store::certificates_of_thing(tx, scope, &thing)?;
        if known.iter().filter(|known| known.revoked_at.is_none()).count() >= MOST_CERTIFICATES {
            let detail = format!("{thing} has {MOST_CERTIFICATES} of them; revoke some first");
            return Err(Refusal::CertificateRefused { detail }.into());
        }
        let certificate = believed(tx, scope, &chain, &thing, now)?;
        certificate.keep(tx, scope, &thing, now)?;
        let CertificateName { issuer, serial } = certificate.name;
        let added = json!({ "certificate": serial, "issuer": issuer });
        let did = Who::of(&actor).did("device.add_certificate", Object::device(&thing));
        let organisation = scope.organisation().clone();
        let row = CertificateRow {
            issuer,
            serial,
            organisation,
            thing,
            created_at: now,
            revoked_at: None,
            renews: None,
            key_sha256: certificate.key_sha256,
        };
        Ok::<_, OperationError>((CertificateObject::of(row, &trust), did.made(&added)))
    };
    app.inner.store.audited(work).await
}

/// A certificate of a device, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) name: CertificateName,
    /// When it ends, in milliseconds since the epoch.
    pub(crate) not_after: i64,
    /// Digest of its key, where it is known.
    pub(crate) key_sha256: Option<String>,
}

impl Certificate {
    /// Keeps it as one of a device's.
    pub(crate) fn keep(
        &self,
        tx: &mut Tx<'_>,
        scope: &Scope,
        thing: &ThingName,
        now: i64,
    ) -> Result<(), OperationError> {
        match otaru_store::insert_certificate(tx, scope, &self.name, thing, now) {
            Err(StoreError::Duplicate(_)) => return Err(Refusal::CertificateTaken.into()),
            other => other?,
        }
        let said =
            CertificateSaid { not_after: self.not_after, key_sha256: self.key_sha256.as_deref() };
        otaru_store::set_certificate_said(tx, scope, &self.name, thing, said)?;
        Ok(otaru_store::set_certificate_end(tx, scope, thing)?)
    }
}

impl From<&IssuedDevice> for Certificate {
    fn from(issued: &IssuedDevice) -> Certificate {
        let (issuer, serial) = (issued.issuer.clone(), issued.serial.clone());
        let not_after = clock::ms_of(issued.not_after);
        let said = CertificateDer::from_pem_slice(issued.cert_pem.as_bytes());
        let said = said.ok().and_then(|der| CertificateFacts::read(&der).ok());
        let key_sha256 = said.map(|said| said.key_sha256);
        Certificate { name: CertificateName { issuer, serial }, not_after, key_sha256 }
    }
}

impl From<&SignedDevice> for Certificate {
    fn from(signed: &SignedDevice) -> Certificate {
        Certificate {
            name: CertificateName { issuer: signed.issuer.clone(), serial: signed.serial.clone() },
            not_after: clock::ms_of(signed.not_after),
            key_sha256: Some(signed.key_sha256.clone()),
        }
    }
}

/// Which of a device's certificates are meant.
#[derive(Clone, Debug, Default)]
pub struct WhichCertificates {
    /// Only the one with this serial number, in any way of writing hexadecimal.
    pub serial: Option<String>,
    /// Of this issuer, where a device has two with the same serial number.
    pub issuer: Option<String>,
}

/// Stops certificates of a device from working, and ends what stands on them: its MQTT session,
/// downloads, whatever is open. With each goes what it was renewed into and nobody has connected
/// with yet: whoever stole the one may have asked for the other.
///
/// # Errors
/// [`Refusal::CertificateUnknown`], [`Refusal::InvalidField`], [`Refusal::DeviceUnknown`],
/// [`Refusal::Forbidden`].
pub async fn revoke_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    which: WhichCertificates,
) -> Result<(), OperationError> {
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        let did = Who::of(&actor).did("device.revoke", Object::device(&thing));
        let WhichCertificates { serial, issuer } = which;
        let Some(serial) = serial.as_deref().map(serial_number).transpose()? else {
            revoke_all(tx, &actor.scope, &thing, now)?;
            tx.notify(Notice::Disconnect { client_id: thing.to_string() });
            return Ok(((), did));
        };
        let all = otaru_store::certificates_of_thing(tx, &actor.scope, &thing)?;
        let is_meant = |known: &CertificateRow| {
            known.serial == serial && issuer.as_ref().is_none_or(|issuer| *issuer == known.issuer)
        };
        let meant: Vec<_> = all.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            return Err(Refusal::CertificateUnknown(serial).into());
        }
        for certificate in meant {
            revoke(tx, &actor.scope, certificate, now)?;
        }
        otaru_store::set_certificate_end(tx, &actor.scope, &thing)?;
        Ok::<_, OperationError>(((), did.made(&json!({ "certificate": serial }))))
    };
    app.inner.store.audited(work).await
}

/// Stops every certificate of a device from working: the serial numbers of those that did.
pub(crate) fn revoke_all(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<Vec<String>, StoreError> {
    let mut revoked = Vec::new();
    for certificate in otaru_store::certificates_of_thing(tx, scope, thing)? {
        if certificate.revoked_at.is_none() {
            revoked.push(certificate.serial.clone());
            revoke(tx, scope, certificate, now)?;
        }
    }
    otaru_store::set_certificate_end(tx, scope, thing)?;
    Ok(revoked)
}

fn revoke(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: CertificateRow,
    now: i64,
) -> Result<(), StoreError> {
    let mut ends = vec![certificate];
    while let Some(certificate) = ends.pop() {
        otaru_store::revoke_certificate(tx, scope, &certificate, now)?;
        ends.extend(otaru_store::unused_renewals(tx, scope, &certificate)?);
        let CertificateRow { issuer, serial, .. } = certificate;
        tx.notify(Notice::CertificateRevoked { issuer, serial });
    }
    Ok(())
}

/// A certificate request of a device; a private key beside it is refused.
pub(crate) fn read_request(pem: &str) -> Result<CertificateRequest, Refusal> {
    server_keys::refuse_private_key("certificate_request", pem.as_bytes())?;
    CertificateRequest::parse(pem).map_err(Refusal::CertificateRequestInvalid)
}

/// The certificates of a PEM text, the device's first.
pub(crate) fn read_chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    server_keys::refuse_private_key("certificate", pem.as_bytes())?;
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(Refusal::CertificateRefused { detail: "it is not PEM".to_owned() }),
    }
}

/// The certificate by which the thing will be known: it leads to an
/// authority that this organisation registered, and names the thing.
pub(crate) fn believed(
    tx: &mut Tx<'_>,
    scope: &Scope,
    chain: &[CertificateDer<'static>],
    thing: &ThingName,
    now: i64,
) -> Result<Certificate, OperationError> {
    let refused = |detail: String| Refusal::CertificateRefused { detail };
    let authorities = otaru_store::authorities(tx, scope, "", ALL)?;
    let trust = DeviceTrust::of(&device_authorities::certificates(&authorities));
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.unsigned_abs()));
    let peer = trust.judge(chain, now).map_err(|why| refused(with_cause(&why)))?;
    if peer.common_name != thing.as_str() {
        let detail = format!("its common name is {:?}, not {thing}", peer.common_name);
        return Err(refused(detail).into());
    }
    let leaf = chain.first().ok_or_else(|| refused("there is none".to_owned()))?;
    let said = CertificateFacts::read(leaf).map_err(|why| refused(why.to_string()))?;
    Ok(Certificate {
        name: CertificateName { issuer: peer.issuer, serial: peer.serial },
        not_after: clock::ms_of(said.not_after),
        key_sha256: Some(said.key_sha256),
    })
}

pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The device that has this certificate, which TLS has verified.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown, revoked, names another thing, is of an
/// authority of another organisation, or was registered with another key.
pub async fn authenticate_device(
    app: &App,
    peer: &PeerCertificate,
) -> Result<DevicePrincipal, OperationError> {
    let (peer, is_own) = (peer.clone(), app.inner.trust.is_own(&peer.issuer));
    let work = move |tx: &mut Tx<'_>| {
        let certificate = good(tx, &peer, is_own)?.ok_or(Refusal::Unauthenticated)?;
        let scope = Scope::of(certificate.organisation);
        let device =
            otaru_store::device(tx, &scope, &certificate.thing)?.ok_or(Refusal::Unauthenticated)?;
        Ok::<_, OperationError>(DevicePrincipal {
            scope,
            thing: device.thing,
            product: device.product,
        })
    };
    app.inner.store.read(work).await
}

/// The certificate as it is registered, if it holds. Of an authority that is not the server's own
/// only while that is registered, and for devices of the same organisation.
pub(crate) fn good(
    tx: &mut Tx<'_>,
    peer: &PeerCertificate,
    is_own: bool,
) -> Result<Option<CertificateRow>, StoreError> {
    let system = SystemScope::for_authentication();
    let found = otaru_store::certificate(tx, &system, &peer.issuer, &peer.serial, is_own)?;
    // One of the server's own that was signed before its holder had a name says so.
    let is_unnamed = is_own && peer.common_name == UNNAMED_HOLDER;
    let is_held = |known: &CertificateRow| is_unnamed || known.thing.as_str() == peer.common_name;
    let found = found.filter(|known| known.revoked_at.is_none() && is_held(known));
    let found = found.filter(|known| is_of_key(known, &peer.key_sha256));
    let Some(known) = found else { return Ok(None) };
    let scope = Scope::of(known.organisation.clone());
    let is_believed = is_own || otaru_store::has_authority(tx, &scope, &peer.issuer)?;
    Ok(is_believed.then_some(known))
}

/// Whether a certificate is for this key. An authority that gives a serial number twice makes
/// certificates that nothing else tells apart.
///
/// The key of certificates that are older than its being kept is not known.
fn is_of_key(known: &CertificateRow, shown: &str) -> bool {
    let known = known.key_sha256.as_deref();
    known.is_none_or(|known| known.as_bytes().ct_eq(shown.as_bytes()).into())
}

/// Whether a certificate that the server signed still speaks for the thing.
pub(crate) fn speaks_for(
    tx: &mut Tx<'_>,
    own: &CertificateName,
    thing: &ThingName,
) -> Result<bool, StoreError> {
    let system = SystemScope::for_authentication();
    let found = otaru_store::certificate(tx, &system, &own.issuer, &own.serial, true)?;
    Ok(found.is_some_and(|known| known.revoked_at.is_none() && known.thing == *thing))
}
