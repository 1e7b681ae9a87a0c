//! Certificates for keys that the authority never sees; requests made by OpenSSL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_authority::{
    CLAIM_HOLDER, CertificateRequest, Holder, IssuedDevice, REQUEST_BYTES_MAX, RequestError,
    SignedDevice, UNNAMED_HOLDER, Unnamed,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, RsaKeySize, SignatureAlgorithm};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

macro_rules! request {
    ($name:literal) => {
        include_str!(concat!("requests/", $name, ".pem"))
    };
}

fn refused(pem: &str) -> RequestError {
    CertificateRequest::parse(pem).expect_err("it is refused")
}

fn made(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

fn sign(room: &Room, pem: &str) -> SignedDevice {
    let request = CertificateRequest::parse(pem).unwrap();
    let (thing, organisation) = (thing("clock-01"), OrganisationId::new("acme").unwrap());
    let holder = Holder::Thing(&thing);
    room.authority.sign_device(&request, holder, &organisation, 30 * DAY, now()).unwrap()
}

#[test]
fn keys_of_every_kind_make_their_device_known_over_tls() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let kinds: [&SignatureAlgorithm; 3] =
        [&PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    let mut keys: Vec<KeyPair> =
        kinds.iter().map(|kind| KeyPair::generate_for(kind).unwrap()).collect();
    for size in [RsaKeySize::_2048, RsaKeySize::_4096] {
        keys.push(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap());
    }
    for key in keys {
        let signed = sign(&room, &made(&key));
        let device = IssuedDevice {
            cert_pem: signed.cert_pem,
            key_pem: key.serialize_pem(),
            issuer: signed.issuer.clone(),
            serial: signed.serial.clone(),
            not_after: signed.not_after,
        };
        let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
        match shake_hands(tls, &room.authority.ca_pem(), Some(&device), "localhost", now()) {
            Outcome::Connected(Some(peer)) => {
                let peer = PeerCertificate::read(&peer, &signed.issuer).unwrap();
                assert_eq!((&*peer.common_name, &*peer.serial), ("clock-01", &*signed.serial));
                assert_eq!(peer.organisation.as_deref(), Some("acme"));
            }
            other => panic!("{:?}: {other:?}", key.algorithm()),
        }
    }
}

#[test]
fn requests_of_openssl_are_taken() {
    for pem in [
        request!("p256"),
        request!("p384"),
        request!("p384-sha256"),
        request!("ed25519"),
        request!("rsa2048"),
        request!("rsa4096"),
    ] {
        sign(&room(), pem);
    }
    let of_keytool = request!("p256").replace("CERTIFICATE REQ", "NEW CERTIFICATE REQ");
    sign(&room(), &of_keytool);
}

/// `p256.pem` wishes to be an authority, for a broker's name, and somebody else's clock.
#[test]
fn what_a_request_asks_for_is_not_given() {
    let signed = sign(&room(), request!("p256"));
    let der = der(&signed.cert_pem);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();

    assert_eq!(certificate.subject().to_string(), "CN=clock-01, O=acme");
    assert!(certificate.subject_alternative_name().unwrap().is_none());
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any);
}

#[test]
fn certificate_lasts_as_long_as_said_and_no_longer_than_the_authority() {
    let room = room();
    let signed = sign(&room, request!("p256"));
    assert_eq!(signed.not_after, now() + 30 * DAY);

    let request = CertificateRequest::parse(request!("p256")).unwrap();
    let organisation = OrganisationId::default();
    let life = 100 * 365 * DAY;
    let long =
        room.authority.sign_device(&request, Holder::Unnamed, &organisation, life, now()).unwrap();
    assert!(long.not_after < now() + 31 * 365 * DAY);
}

#[test]
fn holder_without_a_name_is_no_thing() {
    let request = CertificateRequest::parse(request!("rsa2048")).unwrap();
    let signed = room()
        .authority
        .sign_device(&request, Holder::Unnamed, &OrganisationId::default(), DAY, now())
        .unwrap();
    let peer = PeerCertificate::read(&der(&signed.cert_pem), &signed.issuer).unwrap();
    assert!(ThingName::new(&peer.common_name).is_err(), "{}", peer.common_name);

    let long = thing(&"x".repeat(65));
    let refused = room().authority.sign_device(
        &request,
        Holder::Thing(&long),
        &OrganisationId::default(),
        DAY,
        now(),
    );
    assert!(matches!(refused, Err(AuthorityError::ThingNameTooLong { .. })));
}

#[test]
fn batch_is_no_thing_and_its_key_is_made_here() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    for (holder, name) in [(Unnamed::Device, UNNAMED_HOLDER), (Unnamed::Claim, CLAIM_HOLDER)] {
        let organisation = OrganisationId::default();
        let (signed, key_pem) =
            room.authority.issue_unnamed(holder, &organisation, DAY, now()).unwrap();
        let key_sha256 = CertificateRequest::parse(&made(&KeyPair::from_pem(&key_pem).unwrap()));
        assert_eq!(signed.key_sha256, key_sha256.unwrap().key_digest());
        let SignedDevice { cert_pem, issuer, serial, not_after, .. } = signed;
        let client = IssuedDevice { cert_pem, key_pem, issuer, serial, not_after };
        let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
        let outcome = shake_hands(tls, &room.authority.ca_pem(), Some(&client), "localhost", now());
        let Outcome::Connected(Some(peer)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(PeerCertificate::read(&peer, "").unwrap().common_name, name);
        assert!(ThingName::new(name).is_err());
    }
}

#[test]
fn same_key_is_known_again_and_another_is_not() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let digest = |key| CertificateRequest::parse(&made(key)).unwrap().key_digest();

    assert_eq!(digest(&key), digest(&key));
    assert_ne!(digest(&key), digest(&other));
}

#[test]
fn weak_and_unknown_keys_are_refused() {
    for pem in [
        request!("rsa1024"),
        request!("rsa8192"),
        request!("rsa-exponent-3"),
        request!("p521"),
        request!("secp256k1"),
        request!("p256-compressed"),
    ] {
        assert_eq!(refused(pem), RequestError::Key, "{pem}");
    }
    for pem in [request!("rsa-sha1"), request!("rsa2048-pss")] {
        assert_eq!(refused(pem), RequestError::Signature, "{pem}");
    }
}

#[test]
fn request_of_who_has_not_the_key_is_refused() {
    let (mine, theirs) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let request = CertificateParams::default().serialize_request(&mine).unwrap();
    let mut der = request.der().to_vec();
    let (mine, theirs) = (mine.public_key_raw(), theirs.public_key_raw());
    let at = der.windows(mine.len()).position(|part| part == mine).unwrap();
    der[at..at + mine.len()].copy_from_slice(theirs);

    assert_eq!(refused(&pem_of(&der)), RequestError::Possession);
}

#[test]
fn what_is_no_request_is_refused() {
    let good = request!("p256");
    let twice = format!("{good}{good}");
    let certificate = room().authority.ca_pem();
    let mut der = CertificateParams::default()
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .to_vec();
    der.push(0);
    let half = &good[..good.len() / 2];
    for pem in ["", "clock-01", half, &twice, &certificate, &pem_of(&der)] {
        assert_eq!(refused(pem), RequestError::Malformed, "{pem}");
    }
    let long = format!("{good}{}", "\n".repeat(REQUEST_BYTES_MAX));
    assert_eq!(refused(&long), RequestError::TooLong);
}

fn pem_of(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
}
