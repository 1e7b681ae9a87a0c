//! A device renews its certificate by itself, before it ends and with a new key.
//!
//! Both work until the new one was used to connect: whatever is lost on the way, one of the two
//! is on the device and good.

use otaru_authority::{Authority, Holder};
use otaru_doors::PeerCertificate;
use otaru_store::{CertificateName, CertificateRow, Notice, Scope, StoreError, Tx};
use serde_json::json;

use crate::audit::{self, Object, Who};
use crate::certificates::{self, Certificate};
use crate::{App, DevicePrincipal, OperationError, Origin, Refusal, clock};

/// Certificates that a device may ask for in an hour.
pub(crate) const RENEWALS_AN_HOUR: u32 = 10;

/// A certificate in place of another one.
#[derive(Clone, Debug)]
pub struct RenewedCertificate {
    /// The certificate.
    pub cert_pem: String,
    /// The authority the device trusts for TLS, which may be another one than when it was made.
    pub ca_pem: String,
    /// When it ends, in milliseconds since the epoch.
    pub not_after: i64,
}

/// Signs a new key of a device that came with this certificate, which must be the server's
/// own: one of an organisation's authority would have a successor that outlives the authority.
///
/// # Errors
/// [`Refusal::CertificateRequestInvalid`], [`Refusal::PrivateKey`], [`Refusal::TooManyAttempts`],
/// [`Refusal::CertificateRefused`], [`Refusal::InvalidField`] when the key is the one it has;
/// [`Refusal::Unauthenticated`] when the certificate was revoked meanwhile.
pub async fn renew_own_certificate(
    app: &App,
    device: &DevicePrincipal,
    peer: &PeerCertificate,
    origin: &Origin,
    request: &str,
) -> Result<RenewedCertificate, OperationError> {
    let now = app.now_ms();
    app.inner.renewal_rate.begin(device.thing.as_str(), now)?;
    if !app.inner.trust.is_own(&peer.issuer) {
        let detail = "the authority that signed it renews it, not this server".to_owned();
        return Err(Refusal::CertificateRefused { detail }.into());
    }
    let request = certificates::read_request(request)?;
    if request.key_digest() == peer.key_sha256 {
        let detail = "it is of the key that the device has; a new one is needed";
        return Err(Refusal::invalid("certificate_request", detail).into());
    }
    let DevicePrincipal { scope, thing, .. } = device.clone();
    let (life, at) = (app.inner.certificate_life, clock::time_of(now));
    let (holder, organisation) = (thing.clone(), scope.organisation().clone());
    let sign = move |authority: &Authority| {
        authority.sign_device(&request, Holder::Thing(&holder), &organisation, life, at)
    };
    let signed = app.sign(sign).await?;
    let (certificate, peer) = (Certificate::from(&signed), peer.clone());
    let not_after = certificate.not_after;
    let who = Who::device(&scope, &thing).from(origin);
    let work = move |tx: &mut Tx<'_>| {
        let renewed = certificates::good(tx, &peer, true)?.ok_or(Refusal::Unauthenticated)?;
        let renews =
            CertificateName { issuer: renewed.issuer.clone(), serial: renewed.serial.clone() };
        // It works on the device: what it took the place of is needed no more.
        came_with(tx, who.clone(), &scope, renewed, now)?;
        certificate.keep(tx, &scope, &thing, now)?;
        let name = &certificate.name;
        let lost = otaru_store::set_certificate_renews(tx, &scope, name, &renews, now)?;
        otaru_store::set_certificate_end(tx, &scope, &thing)?;
        let lost = lost.into_iter().map(|name| ended(tx, name)).collect::<Vec<_>>();
        let made = json!({ "certificate": name.serial, "renews": renews.serial, "revoked": lost });
        let did = who.did("device.renew_certificate", Object::device(&thing));
        Ok::<_, OperationError>(((), did.made(&made)))
    };
    app.inner.store.audited(work).await?;
    let ca_pem = app.ca_pem();
    Ok(RenewedCertificate { cert_pem: signed.cert_pem, ca_pem, not_after })
}

/// Ends what stands on a certificate that was revoked; its serial number.
fn ended(tx: &mut Tx<'_>, certificate: CertificateName) -> String {
    let CertificateName { issuer, serial } = certificate;
    tx.notify(Notice::CertificateRevoked { issuer, serial: serial.clone() });
    serial
}

/// A device has come with a certificate: the one whose place it takes has done its work.
pub(crate) fn came_with(
    tx: &mut Tx<'_>,
    who: Who,
    scope: &Scope,
    certificate: CertificateRow,
    now: i64,
) -> Result<(), StoreError> {
    let CertificateRow { issuer, serial, thing, .. } = certificate;
    let name = CertificateName { issuer, serial };
    let Some(retired) = otaru_store::use_certificate(tx, scope, &name, now)? else {
        return Ok(());
    };
    otaru_store::set_certificate_end(tx, scope, &thing)?;
    let used = json!({ "certificate": name.serial, "retired": ended(tx, retired) });
    let did = who.did("device.use_certificate", Object::device(&thing));
    audit::note(tx, did.made(&used), now)
}
