//! What is read from a certificate, whoever signed it.

use std::time::{Duration, UNIX_EPOCH};

use otaru_doors::{CertificateFacts, PeerCertificate, PeerCertificateError};
use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};
use sha2::{Digest, Sha256};

/// 2036-01-01 00:00 UTC
const END_S: u64 = 2_082_758_400;

fn certificate(key: &KeyPair, year: i32) -> Vec<u8> {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (date_time_ymd(1960, 1, 1), date_time_ymd(year, 1, 1));
    params.self_signed(key).unwrap().der().to_vec()
}

#[test]
fn a_certificate_says_when_it_ends_and_whose_key_it_is_for() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let said = CertificateFacts::read(&certificate(&key, 2036)).unwrap();
        assert_eq!(said.not_after, UNIX_EPOCH + Duration::from_secs(END_S));
        let digest = Sha256::digest(key.subject_public_key_info());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(said.key_sha256, digest);
        // The same key has the same digest in every certificate.
        let renewed = CertificateFacts::read(&certificate(&key, 2037)).unwrap();
        assert_eq!(renewed.key_sha256, said.key_sha256);
        assert!(renewed.not_after > said.not_after);
    }
}

#[test]
fn an_end_before_1970_has_passed() {
    let key = KeyPair::generate().unwrap();
    let said = CertificateFacts::read(&certificate(&key, 1965)).unwrap();
    assert_eq!(said.not_after, UNIX_EPOCH);
}

#[test]
fn what_is_no_certificate_says_nothing() {
    let key = KeyPair::generate().unwrap();
    let whole = certificate(&key, 2036);
    for bytes in [&[][..], b"x", &whole[..whole.len() - 1]] {
        assert_eq!(CertificateFacts::read(bytes), Err(PeerCertificateError::Malformed));
        assert_eq!(PeerCertificate::read(bytes, ""), Err(PeerCertificateError::Malformed));
    }
}
