use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use expect_test::expect;

use super::*;

fn p256(number: u8) -> SecretKey {
    SecretKey::from_p256_scalar(&[number; 32]).unwrap()
}

#[test]
fn public_key_file_round_trips() {
    let key = SecretKey::from_seed(&[7; 32]).public_key();
    let file = key.to_file("root key");
    expect![[r#"
        # Otaru root key, key id fe812c12f3ab4ce6
        ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
    "#]]
    .assert_eq(&file);
    assert_eq!(PublicKey::from_file(&file), Ok(key));
    assert_eq!(PublicKey::from_file(&(file.clone() + &file)), Err(KeyError::Text));
    assert_eq!(PublicKey::from_file(""), Err(KeyError::Text));
    let key = p256(7).public_key();
    assert_eq!(PublicKey::from_file(&key.to_file("root key")), Ok(key));
    assert_eq!(key.to_string().len(), "p256:".len() + 130);
    assert_eq!(key.id().to_string().parse(), Ok(key.id()));
}

#[test]
fn keys_anybody_could_sign_for_are_refused() {
    // The neutral element: every message verifies under it with the right R.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Point));
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Point));
    assert_eq!(PublicKey::from_bytes(&[1; 31]), Err(KeyError::Length { found: 31 }));
}

#[test]
fn only_uncompressed_points_of_the_curve_are_keys() {
    let key = p256(3).public_key();
    let bytes = key.to_bytes();
    assert_eq!(PublicKey::from_bytes(&bytes), Ok(key));
    let compressed = [&[2 + (bytes[64] & 1)], &bytes[1..33]].concat();
    assert_eq!(PublicKey::from_bytes(&compressed), Err(KeyError::Length { found: 33 }));
    // Hybrid forms name the same point and are a second text for one key.
    let mut hybrid = bytes.to_vec();
    hybrid[0] = 6 + (bytes[64] & 1);
    assert_eq!(PublicKey::from_bytes(&hybrid), Err(KeyError::Point));
    let mut beside = bytes.to_vec();
    beside[64] ^= 1;
    assert_eq!(PublicKey::from_bytes(&beside), Err(KeyError::Point));
    assert!(SecretKey::from_p256_scalar(&[0; 32]).is_err());
    assert!(SecretKey::from_p256_scalar(&[0xFF; 32]).is_err());
}

#[test]
fn a_signature_is_one_keys_over_one_message() {
    for key in [SecretKey::from_seed(&[1; 32]), p256(1)] {
        let signature = key.sign(b"message");
        assert!(key.public_key().verifies(&[b"message"], &signature));
        assert!(!key.public_key().verifies(&[b"messagf"], &signature));
        assert!(!SecretKey::from_seed(&[2; 32]).public_key().verifies(&[b"message"], &signature));
        assert!(!p256(2).public_key().verifies(&[b"message"], &signature));
        assert!(!key.public_key().verifies(&[b"message"], &[0; 64]));
        assert_eq!(key.sign(b"message"), signature, "no randomness is drawn");
    }
}

#[test]
fn private_keys_are_known_by_their_looks() {
    let seed = [0x5A; 32];
    let file =
        "# Otaru root key\nformat = 1\nrole = \"root\"\npublic_key = \"x\"\nsecret = \"y\"\n";
    let pkcs8: Vec<u8> =
        [&[0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05], &ED25519_OID[..], &[4, 34, 4, 32], &seed]
            .concat();
    let sec1 = [&[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20][..], &seed, &P256_OID].concat();
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n";
    let hex: alloc::string::String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = |bytes: &[u8]| find_private_key(bytes);
    assert_eq!(found(file.as_bytes()), Some(PrivateKeyKind::KeyFile));
    assert_eq!(found(pem.as_bytes()), Some(PrivateKeyKind::Pem));
    assert_eq!(found(b"-----BEGIN EC PRIVATE KEY-----\nx"), Some(PrivateKeyKind::Pem));
    assert_eq!(found(&pkcs8), Some(PrivateKeyKind::Der));
    assert_eq!(found(&sec1), Some(PrivateKeyKind::Der));
    assert_eq!(found(&seed), Some(PrivateKeyKind::Raw));
    assert_eq!(found(hex.as_bytes()), Some(PrivateKeyKind::Raw));
    let key = SecretKey::from_seed(&seed).public_key();
    let root = crate::RootDocument::first(key, key).sign(&SecretKey::from_seed(&seed));
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQ\n-----END PUBLIC KEY-----\n";
    for innocent in [&root[..], key.to_file("root key").as_bytes(), public.as_bytes(), b""] {
        assert_eq!(found(innocent), None);
    }
}

const ED25519_OID: [u8; 5] = [0x06, 0x03, 0x2B, 0x65, 0x70];
const P256_OID: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
