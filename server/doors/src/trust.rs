//! Whose certificates of devices are believed.

use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::connections::{Connections, Standing};
use crate::{Distrust, PeerCertificate};

/// How many authorities may stand between a device's certificate and one that is believed.
pub const INTERMEDIATES_MAX: usize = 3;

/// The name of an authority that nobody else can have: SHA-256 of its certificate, lower-case
/// hexadecimal.
pub fn fingerprint(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The authorities that are believed, and the connections that stand on their certificates.
/// Clones are the same: one of them changes it for every port.
#[derive(Clone, Default)]
pub struct DeviceTrust {
    anchors: Arc<RwLock<Arc<Anchors>>>,
    connections: Connections,
}

#[derive(Default)]
struct Anchors {
    /// The server's own authorities, which may sign for every organisation.
    own: Vec<Authority>,
    /// Those that organisations registered.
    registered: Vec<Authority>,
    /// All of them, as the verifier wants them, own ones first.
    all: Vec<TrustAnchor<'static>>,
}

#[derive(Clone)]
struct Authority {
    fingerprint: String,
    /// Of the authority's own certificate, in seconds since the epoch.
    holds: RangeInclusive<i64>,
    anchor: TrustAnchor<'static>,
}

impl DeviceTrust {
    /// Believes these authorities for every organisation.
    pub fn of(own: &[CertificateDer<'_>]) -> DeviceTrust {
        let trust = DeviceTrust::default();
        trust.set_own(own);
        trust
    }

    /// Replaces the server's own authorities.
    pub fn set_own(&self, own: &[CertificateDer<'_>]) {
        self.replace(|anchors| Anchors::new(read(own), anchors.registered.clone()));
    }

    /// Replaces the authorities that organisations registered. What cannot be read is left out.
    pub fn set_registered(&self, registered: &[CertificateDer<'_>]) {
        self.replace(|anchors| Anchors::new(anchors.own.clone(), read(registered)));
    }

    /// Whether the authority is one of the server's own.
    pub fn is_own(&self, fingerprint: &str) -> bool {
        self.anchors().own.iter().any(|authority| authority.fingerprint == fingerprint)
    }

    /// Says who the holder of the first certificate is, if a chain leads from it to an authority
    /// that is believed now. Whether it is registered and not revoked is not known here.
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<PeerCertificate, Distrust> {
        let (leaf, between) = chain.split_first().ok_or(Distrust::Missing)?;
        self.judge_leaf(leaf, between, now)
    }

    pub(crate) fn judge_leaf(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<PeerCertificate, Distrust> {
        if between.len() > INTERMEDIATES_MAX {
            return Err(Distrust::TooLong { found: between.len() });
        }
        let may_sign = |usage: &x509_parser::extensions::KeyUsage| usage.key_cert_sign();
        if !is_for(leaf, |usage| usage.digital_signature())
            || !between.iter().all(|authority| is_for(authority, may_sign))
        {
            return Err(Distrust::WrongUse);
        }
        let anchors = self.anchors();
        let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        // webpki does not look at when an authority itself begins and ends.
        let holds = |path: &VerifiedPath<'_>| match anchors.of(path.anchor()) {
            Some(authority) if now_s < *authority.holds.start() => {
                Err(webpki::Error::UnknownIssuer)
            }
            Some(authority) if now_s > *authority.holds.end() => Err(webpki::Error::UnknownIssuer),
            Some(_) => Ok(()),
            None => Err(webpki::Error::UnknownIssuer),
        };
        let leaf_cert = EndEntityCert::try_from(leaf)?;
        let path = leaf_cert.verify_for_usage(
            algorithms().all,
            &anchors.all,
            between,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&holds),
        )?;
        let authority = anchors.of(path.anchor()).ok_or(webpki::Error::UnknownIssuer)?;
        Ok(PeerCertificate::read(leaf, &authority.fingerprint)?)
    }

    /// Notes a connection that stands on a certificate.
    pub fn stand(&self, peer: &PeerCertificate) -> Standing {
        self.connections.add(peer)
    }

    /// Ends the connections that stand on this certificate.
    pub fn end(&self, issuer: &str, serial: &str) {
        self.connections.end(|other, number| (other, number) == (issuer, serial));
    }

    /// Ends the connections that stand on the certificate of the server's own authorities with
    /// this serial number: they are random, and no two have the same.
    pub fn end_own(&self, serial: &str) {
        self.connections.end(|issuer, number| number == serial && self.is_own(issuer));
    }

    /// Ends the connections that stand on a certificate of an authority that is not believed.
    pub fn end_unbelieved(&self) {
        let anchors = self.anchors();
        self.connections.end(|issuer, _| !anchors.has(issuer));
    }

    fn anchors(&self) -> Arc<Anchors> {
        self.anchors.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, other: impl FnOnce(&Anchors) -> Anchors) {
        let mut anchors = self.anchors.write().unwrap_or_else(PoisonError::into_inner);
        *anchors = Arc::new(other(&anchors));
    }
}

impl std::fmt::Debug for DeviceTrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceTrust").finish_non_exhaustive()
    }
}

impl Anchors {
    fn new(own: Vec<Authority>, registered: Vec<Authority>) -> Anchors {
        let mut all: Vec<TrustAnchor<'static>> = Vec::new();
        for authority in own.iter().chain(&registered) {
            // The same key under the same name would be found under the first of them anyway.
            if !all.contains(&authority.anchor) {
                all.push(authority.anchor.clone());
            }
        }
        Anchors { own, registered, all }
    }

    fn each(&self) -> impl Iterator<Item = &Authority> {
        self.own.iter().chain(&self.registered)
    }

    fn of(&self, anchor: &TrustAnchor<'_>) -> Option<&Authority> {
        self.each().find(|authority| authority.anchor == *anchor)
    }

    fn has(&self, fingerprint: &str) -> bool {
        self.each().any(|authority| authority.fingerprint == fingerprint)
    }
}

fn read(certificates: &[CertificateDer<'_>]) -> Vec<Authority> {
    let authority = |der: &CertificateDer<'_>| {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let validity = parsed.validity();
        let holds = validity.not_before.timestamp()..=validity.not_after.timestamp();
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?.to_owned();
        Some(Authority { fingerprint: fingerprint(der), holds, anchor })
    };
    certificates.iter().filter_map(authority).collect()
}

/// Whether a certificate that says what its key may do allows this. webpki looks at the extended
/// uses alone.
fn is_for(
    certificate: &CertificateDer<'_>,
    allows: impl FnOnce(&x509_parser::extensions::KeyUsage) -> bool,
) -> bool {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => match parsed.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| allows(usage.value)),
            Err(_) => false,
        },
        // The verifier says what is wrong with it.
        Err(_) => true,
    }
}

pub(crate) fn algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}
