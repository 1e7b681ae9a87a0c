//! Whose certificates are believed, asked with chains of every kind.

use std::time::Duration;

use otaru_doors::{
    AuthorityCertificate, AuthorityCertificateError, DeviceTrust, Distrust, PeerCertificate,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, UnixTime};

/// 2026-11-24
const NOW: u64 = 1_795_478_400;

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

/// An authority with its key.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2036, 1, 1));
    params
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn of_device(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

impl Authority {
    fn new(name: &str) -> Authority {
        Authority::of(of_authority(name))
    }

    fn of(params: CertificateParams) -> Authority {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Authority { issuer: Issuer::new(params, key), der }
    }

    /// One below this one.
    fn below(&self, params: CertificateParams) -> Authority {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Authority { issuer: Issuer::new(params, key), der }
    }

    fn sign(&self, params: CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    fn fingerprint(&self) -> String {
        otaru_doors::fingerprint(&self.der)
    }

    fn trust(&self) -> DeviceTrust {
        DeviceTrust::of(std::slice::from_ref(&self.der))
    }
}

fn judged(
    trust: &DeviceTrust,
    chain: &[&CertificateDer<'static>],
) -> Result<PeerCertificate, Distrust> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    trust.judge(&chain, now())
}

#[track_caller]
fn refused(trust: &DeviceTrust, chain: &[&CertificateDer<'static>]) -> String {
    format!("{:?}", judged(trust, chain).expect_err("it is believed"))
}

#[test]
fn the_issuer_is_the_authority_that_the_chain_leads_to() {
    let (own, other) = (Authority::new("Otaru"), Authority::new("Acme"));
    let trust = own.trust();
    let device = other.sign(of_device("clock-01"));
    assert_eq!(refused(&trust, &[&device]), "Chain(UnknownIssuer)");

    trust.set_registered(std::slice::from_ref(&other.der));

    let peer = judged(&trust, &[&device]).unwrap();
    assert_eq!((peer.common_name.as_str(), peer.issuer), ("clock-01", other.fingerprint()));
    assert!(!trust.is_own(&other.fingerprint()) && trust.is_own(&own.fingerprint()));
    let ours = judged(&trust, &[&own.sign(of_device("clock-02"))]).unwrap();
    assert_eq!(ours.issuer, own.fingerprint());
    trust.set_registered(&[]);
    assert_eq!(refused(&trust, &[&device]), "Chain(UnknownIssuer)");
}

#[test]
fn an_authority_that_calls_itself_like_another_is_told_apart() {
    let (own, impostor) = (Authority::new("Otaru"), Authority::new("Otaru"));
    let device = impostor.sign(of_device("clock-01"));
    assert!(refused(&own.trust(), &[&device]).contains("Signature"));

    let trust = own.trust();
    trust.set_registered(std::slice::from_ref(&impostor.der));
    assert_eq!(judged(&trust, &[&device]).unwrap().issuer, impostor.fingerprint());
    let ours = own.sign(of_device("clock-01"));
    assert_eq!(judged(&trust, &[&ours]).unwrap().issuer, own.fingerprint());
}

#[test]
fn authorities_between_are_followed_and_counted() {
    let root = Authority::new("Acme root");
    let first = root.below(of_authority("Acme one"));
    let second = first.below(of_authority("Acme two"));
    let third = second.below(of_authority("Acme three"));
    let fourth = third.below(of_authority("Acme four"));
    let trust = root.trust();

    let device = third.sign(of_device("clock-01"));
    let peer = judged(&trust, &[&device, &third.der, &second.der, &first.der]).unwrap();
    assert_eq!(peer.issuer, root.fingerprint());
    assert_eq!(refused(&trust, &[&device]), "Chain(UnknownIssuer)");
    assert_eq!(refused(&trust, &[&device, &third.der, &first.der]), "Chain(UnknownIssuer)");

    let deep = fourth.sign(of_device("clock-01"));
    let chain = [&deep, &fourth.der, &third.der, &second.der, &first.der];
    assert_eq!(refused(&trust, &chain), "TooLong { found: 4 }");
}

#[test]
fn what_is_not_for_it_does_not_sign() {
    let root = Authority::new("Acme");
    let trust = root.trust();

    // A device's certificate that signs another's.
    let device = root.below(of_device("clock-01"));
    let forged = device.sign(of_device("clock-02"));
    assert_eq!(refused(&trust, &[&forged, &device.der]), "WrongUse");
    let silent = root.below(params("clock-01"));
    let forged = silent.sign(of_device("clock-02"));
    assert!(refused(&trust, &[&forged, &silent.der]).contains("EndEntityUsedAsCa"));

    // An authority that may only sign lists of revoked ones.
    let mut lists = of_authority("Acme lists");
    lists.key_usages = vec![KeyUsagePurpose::CrlSign];
    let lists = root.below(lists);
    let forged = lists.sign(of_device("clock-02"));
    assert_eq!(refused(&trust, &[&forged, &lists.der]), "WrongUse");

    // An authority as a device, and one that may have none below it.
    assert!(refused(&trust, &[&root.sign(of_authority("clock-01"))]).contains("WrongUse"));
    let mut last = of_authority("Acme last");
    last.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let last = root.below(last);
    let below = last.below(of_authority("Acme more"));
    let forged = below.sign(of_device("clock-02"));
    assert!(
        refused(&trust, &[&forged, &below.der, &last.der]).contains("PathLenConstraintViolated")
    );
}

#[test]
fn what_is_for_servers_is_no_device() {
    let root = Authority::new("Acme");
    let mut server = of_device("clock-01");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(refused(&root.trust(), &[&root.sign(server)]).contains("RequiredEkuNotFound"));
    let mut cipher = of_device("clock-01");
    cipher.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert_eq!(refused(&root.trust(), &[&root.sign(cipher)]), "WrongUse");
}

#[test]
fn nothing_holds_before_or_after_its_time() {
    let root = Authority::new("Acme");
    let trust = root.trust();
    let mut ended = of_device("clock-01");
    ended.not_after = date_time_ymd(2026, 11, 1);
    assert!(refused(&trust, &[&root.sign(ended)]).contains("CertExpired"));
    let mut early = of_device("clock-01");
    early.not_before = date_time_ymd(2026, 12, 1);
    assert!(refused(&trust, &[&root.sign(early)]).contains("CertNotValidYet"));

    for (begins, ends) in [(2020, 2026), (2027, 2036)] {
        let mut params = of_authority("Acme of another time");
        params.not_before = date_time_ymd(begins, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let authority = Authority::of(params);
        let device = authority.sign(of_device("clock-01"));
        assert_eq!(refused(&authority.trust(), &[&device]), "Chain(UnknownIssuer)");
    }
}

#[test]
fn a_certificate_by_itself_is_nobodys() {
    let key = KeyPair::generate().unwrap();
    let alone = of_device("clock-01").self_signed(&key).unwrap().der().clone();
    let trust = Authority::new("Acme").trust();
    assert_eq!(refused(&trust, &[&alone]), "Chain(UnknownIssuer)");
    assert_eq!(refused(&trust, &[]), "Missing");
    assert!(refused(&trust, &[&CertificateDer::from(vec![0x30, 0x00])]).contains("Chain"));
}

#[test]
fn a_certificate_names_one_thing_in_its_subject() {
    let root = Authority::new("Acme");
    let trust = root.trust();
    let mut two = of_device("clock-01");
    // rcgen keeps one of each kind; written out in full the kind is another to it.
    two.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "clock-02");
    assert_eq!(refused(&trust, &[&root.sign(two)]), "Nobody(CommonName)");

    let name = |name: &str| judged(&trust, &[&root.sign(of_device(name))]).unwrap().common_name;
    // As it stands there: whether it is a thing name, and whose, is asked later.
    for odd in ["*", "clock-*", "../clock-01", "clock-01\0", "Clock-01"] {
        assert_eq!(name(odd), odd);
    }

    let mut nowhere = of_device("clock-01");
    nowhere.distinguished_name = rcgen::DistinguishedName::new();
    nowhere.subject_alt_names = vec![SanType::DnsName("clock-01".try_into().unwrap())];
    assert_eq!(refused(&trust, &[&root.sign(nowhere)]), "Nobody(CommonName)");
}

#[test]
fn an_authority_that_is_to_be_believed_is_one() {
    let root = Authority::new("Acme");
    let read = AuthorityCertificate::from_der(&root.der).unwrap();
    assert_eq!((read.fingerprint, read.subject.as_str()), (root.fingerprint(), "CN=Acme"));
    let leaf = AuthorityCertificate::from_der(&root.sign(of_device("clock-01")));
    assert_eq!(leaf.unwrap_err(), AuthorityCertificateError::NoAuthority);
    let mut lists = of_authority("Acme lists");
    lists.key_usages = vec![KeyUsagePurpose::CrlSign];
    let lists = AuthorityCertificate::from_der(&Authority::of(lists).der);
    assert_eq!(lists.unwrap_err(), AuthorityCertificateError::NoAuthority);
    for text in ["", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"] {
        let read = AuthorityCertificate::from_pem(text);
        assert_eq!(read.unwrap_err(), AuthorityCertificateError::NotOne);
    }
}
