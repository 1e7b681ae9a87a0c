//! A device renews its certificate by itself, before it ends and with a new key.
//!
//! Both work until the new one was used to connect: whatever is lost on the way, one of the two
//! is on the device and good.

use otaru_authority::{Authority, CertificateRequest, Holder};
use otaru_doors::PeerCertificate;
use otaru_store::{CertificateName, CertificateRow, Notice, Scope, StoreError, Tx};
use serde_json::json;

use crate::audit::{self, Object, Who};
use crate::certificates::{self, Certificate};
use crate::{App, DevicePrincipal, OperationError, Refusal, clock};

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

/// Signs a new key of a device that came with the certificate `peer`.
///
/// # Errors
/// [`Refusal::CertificateRequestInvalid`], [`Refusal::TooManyAttempts`],
/// [`Refusal::Unauthenticated`] when the certificate was revoked meanwhile.
pub async fn renew_own_certificate(
    app: &App,
    device: &DevicePrincipal,
    peer: &PeerCertificate,
    request: &str,
) -> Result<RenewedCertificate, OperationError> {
    let now = app.now_ms();
    app.inner.renewal_rate.begin(device.thing.as_str(), now)?;
    let request = CertificateRequest::parse(request).map_err(Refusal::CertificateRequestInvalid)?;
    let DevicePrincipal { scope, thing, .. } = device.clone();
    let (life, at) = (app.inner.certificate_life, clock::time_of(now));
    let (holder, organisation) = (thing.clone(), scope.organisation().clone());
    let sign = move |authority: &Authority| {
        authority.sign_device(&request, Holder::Thing(&holder), &organisation, life, at)
    };
    let signed = app.sign(sign).await?;
    let (certificate, peer) = (Certificate::from(&signed), peer.clone());
    let is_own = app.inner.trust.is_own(&peer.issuer);
    let not_after = certificate.not_after;
    let work = move |tx: &mut Tx<'_>| {
        let renewed = certificates::good(tx, &peer, is_own)?.ok_or(Refusal::Unauthenticated)?;
        let renews = CertificateName { issuer: renewed.issuer, serial: renewed.serial };
        certificate.keep(tx, &scope, &thing, now)?;
        otaru_store::set_certificate_renews(tx, &scope, &certificate.name, &renews, now)?;
        let made = json!({ "certificate": certificate.name.serial, "renews": renews.serial });
        let did =
            Who::device(&scope, &thing).did("device.renew_certificate", Object::device(&thing));
        Ok::<_, OperationError>(((), did.made(&made)))
    };
    app.inner.store.audited(work).await?;
    let ca_pem = app.ca_pem();
    Ok(RenewedCertificate { cert_pem: signed.cert_pem, ca_pem, not_after })
}

/// A device has connected with a certificate: the one whose place it takes has done its work.
pub(crate) fn came_with(
    tx: &mut Tx<'_>,
    scope: &Scope,
    certificate: CertificateRow,
    now: i64,
) -> Result<(), StoreError> {
    let CertificateRow { issuer, serial, thing, .. } = certificate;
    let name = CertificateName { issuer, serial };
    let Some(retired) = otaru_store::use_certificate(tx, scope, &name, now)? else {
        return Ok(());
    };
    let CertificateName { issuer, serial } = retired;
    tx.notify(Notice::CertificateRevoked { issuer, serial });
    let used = json!({ "certificate": name.serial });
    let did = Who::device(scope, &thing).did("device.use_certificate", Object::device(&thing));
    audit::note(tx, did.made(&used), now)
}
