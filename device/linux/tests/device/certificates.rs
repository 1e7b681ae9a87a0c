//! A root certificate that is missing, expired or of another authority: the device
//! names it, keeps trying, and says so once it can.

use std::time::SystemTime;

use otaru_authority::Authority;
use otaru_wire::Reason;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::rig::Rig;

/// Starts a device with this `ca.pem` (none at all for `None`), mends it, and waits
/// for the device to say what was wrong and to install the release all the same.
async fn comes_through(ca_pem: Option<String>, reason: Reason) {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    match ca_pem {
        Some(ca_pem) => std::fs::write(device.file("ca.pem"), ca_pem).unwrap(),
        None => std::fs::remove_file(device.file("ca.pem")).unwrap(),
    }
    rig.wish(&device, "1.0.5", "u-1").await;
    device.start();
    rig.log_in_flash(&mut device, reason).await;
    assert_eq!(rig.firmware(&device), None, "it cannot have got through");
    std::fs::write(device.file("ca.pem"), rig.authority.ca_pem()).unwrap();
    let record = rig.logged(&mut device, reason).await;
    assert_eq!(record.code.as_deref(), Some("IO_FAILED"));
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_root_certificate_is_named() {
    comes_through(None, Reason::TlsRootMissing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_certificate_is_a_missing_one() {
    comes_through(Some("no certificate".into()), Reason::TlsRootMissing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_root_certificate_is_named() {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.not_before = OffsetDateTime::now_utc() - Duration::days(20);
    parameters.not_after = OffsetDateTime::now_utc() - Duration::days(10);
    let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
    comes_through(Some(certificate.pem()), Reason::TlsRootExpired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_certificate_of_another_authority_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let other = Authority::open_or_create(dir.path(), SystemTime::now()).unwrap();
    comes_through(Some(other.ca_pem().to_owned()), Reason::TlsUntrusted).await;
}
