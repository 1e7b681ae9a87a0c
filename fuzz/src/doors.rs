//! The decoders of certificates: `server/doors`.

use std::sync::LazyLock;
use std::time::Duration;

use otaru_doors::{
    AuthorityCertificate, CertificateFacts, DeviceTrust, INTERMEDIATES_MAX, PeerCertificate,
};
use rustls_pki_types::{CertificateDer, UnixTime};

/// The authority that is believed here. Its key is kept nowhere.
const OURS: &[u8] = include_bytes!("../corpus/authority_certificate/ours");

static TRUST: LazyLock<DeviceTrust> =
    LazyLock::new(|| DeviceTrust::of(&[CertificateDer::from(OURS)]));

/// While the certificates of the corpus hold.
const NOW_S: u64 = 1_900_000_000;

/// The certificate of an authority, as an operator sends it.
pub(crate) fn authority_certificate(bytes: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _any_answer = AuthorityCertificate::from_pem(text);
    }
    let Ok(authority) = AuthorityCertificate::from_der(bytes) else { return false };
    assert_eq!(authority.der, bytes);
    assert_eq!((authority.fingerprint.len(), authority.key_sha256.len()), (64, 64));
    true
}

/// The certificate of a device, before and after TLS believes it.
pub(crate) fn peer_certificate(bytes: &[u8]) -> bool {
    let facts = CertificateFacts::read(bytes);
    match PeerCertificate::read(bytes, "issuer") {
        Ok(peer) => {
            assert_eq!(peer.issuer, "issuer");
            assert!(facts.is_ok_and(|facts| facts.key_sha256 == peer.key_sha256));
            true
        }
        Err(_) => false,
    }
}

/// The certificates that a client shows, each behind its length in two bytes.
pub(crate) fn certificate_chain(bytes: &[u8]) -> bool {
    let Some(chain) = chain_of(bytes) else { return false };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW_S));
    let Ok(peer) = TRUST.judge(&chain, now) else { return false };
    assert!(chain.len() <= 1 + INTERMEDIATES_MAX);
    assert!(TRUST.is_own(&peer.issuer), "{}", peer.issuer);
    for other in [0, u64::MAX / 2] {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(other));
        assert!(TRUST.judge(&chain, then).is_err(), "nothing holds for ever");
    }
    true
}

fn chain_of(mut bytes: &[u8]) -> Option<Vec<CertificateDer<'_>>> {
    let mut chain = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (certificate, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        chain.push(CertificateDer::from(certificate));
        bytes = rest;
    }
    Some(chain)
}
