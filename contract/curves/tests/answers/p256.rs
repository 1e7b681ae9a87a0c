use otaru_curves::p256::{is_key, verifies};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::Field;
use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use proptest::prelude::*;

const HASH: [u8; 32] = [0x5A; 32];

/// The field's modulus and the order of the curve, highest byte first.
const FIELD: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
];
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
    0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Asks both, and fails where they differ.
fn ask(key: &[u8; 65], hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32]) -> bool {
    let theirs = VerifyingKey::from_sec1_bytes(key).ok().filter(|_| key[0] == 4);
    assert_eq!(is_key(key), theirs.is_some(), "key {key:02x?}");
    let signature: [u8; 64] = [*r, *s].as_flattened().try_into().unwrap();
    let signed = theirs.is_some_and(|key| {
        Signature::from_slice(&signature)
            .is_ok_and(|signature| key.verify_prehash(hash, &signature).is_ok())
    });
    let ours = verifies(key, hash, &signature);
    assert_eq!(ours, signed, "key {key:02x?}, hash {hash:02x?}, signature {signature:02x?}");
    ours
}

fn uncompressed(point: &ProjectivePoint) -> [u8; 65] {
    point.to_affine().to_sec1_point(false).as_bytes().try_into().unwrap()
}

fn bytes(scalar: Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}

fn reduced(bytes: &[u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(*bytes))
}

/// A number close to another, highest byte first.
fn beside(number: &[u8; 32], by: i8) -> [u8; 32] {
    let mut number = *number;
    number[31] = number[31].wrapping_add_signed(by);
    number
}

#[test]
fn odd_signatures_get_the_same_answers() {
    let one = beside(&[0; 32], 1);
    let around = |number| [beside(number, -1), *number, beside(number, 1)];
    let mut numbers = vec![[0; 32], one, [0xFF; 32], [0x7F; 32], FIELD];
    numbers.extend(around(&ORDER));
    for secret in [Scalar::ONE, -Scalar::ONE, Scalar::from(7_u64)] {
        let key = uncompressed(&(ProjectivePoint::GENERATOR * secret));
        for hash in [[0; 32], ORDER, FIELD, [0xFF; 32], HASH] {
            for r in &numbers {
                for s in &numbers {
                    ask(&key, &hash, r, s);
                }
            }
        }
    }
}

#[test]
fn either_s_is_taken_and_no_other_change() {
    let signer = SigningKey::from_slice(&[3; 32]).unwrap();
    let key = uncompressed(&ProjectivePoint::from(*signer.verifying_key().as_affine()));
    let signature: Signature = signer.sign_prehash(&HASH).unwrap();
    let (r, s) = (bytes(*signature.r()), bytes(*signature.s()));
    assert!(ask(&key, &HASH, &r, &s));
    assert!(ask(&key, &HASH, &r, &bytes(-*signature.s())));
    for at in 0..256 {
        let flipped = |bytes: &[u8; 32]| {
            let mut bytes = *bytes;
            bytes[at / 8] ^= 1 << (at % 8);
            bytes
        };
        assert!(!ask(&key, &flipped(&HASH), &r, &s));
        assert!(!ask(&key, &HASH, &flipped(&r), &s));
        assert!(!ask(&key, &HASH, &r, &flipped(&s)));
    }
    for at in 0..520 {
        let mut key = key;
        key[at / 8] ^= 1 << (at % 8);
        assert!(!ask(&key, &HASH, &r, &s));
    }
}

#[test]
fn coordinates_above_the_field_are_no_key() {
    // x = 5 is on the curve, and p + 5 would be the same.
    let point = (0..).find_map(|x: u8| {
        let mut compressed = [0; 33];
        (compressed[0], compressed[32]) = (2, x);
        Some((x, VerifyingKey::from_sec1_bytes(&compressed).ok()?))
    });
    let (x, key) = point.unwrap();
    let mut key = uncompressed(&ProjectivePoint::from(*key.as_affine()));
    let [r, s] = [HASH; 2];
    ask(&key, &HASH, &r, &s);
    assert!(is_key(&key));
    // The last four bytes of p are ones: adding x carries through them.
    let mut above = FIELD;
    let mut carry = u16::from(x);
    for byte in above.iter_mut().rev() {
        carry += u16::from(*byte);
        *byte = carry as u8;
        carry >>= 8;
    }
    key[1..33].copy_from_slice(&above);
    assert!(!is_key(&key));
    ask(&key, &HASH, &r, &s);
}

/// The key under which these would sign the hash, with a point R that is chosen: s·R = e·G + r·Q.
fn key_for(point: ProjectivePoint, r: Scalar, s: Scalar, hash: &[u8; 32]) -> [u8; 65] {
    let sum = point * s - ProjectivePoint::GENERATOR * reduced(hash);
    uncompressed(&(sum * Option::<Scalar>::from(r.invert()).unwrap()))
}

#[test]
fn an_x_above_the_order_is_reduced() {
    // One x in 2^32 is; these are the first with a point.
    let mut found = 0;
    for above in 0..40 {
        let mut compressed = [0; 33];
        compressed[0] = 2;
        compressed[1..].copy_from_slice(&beside(&ORDER, above));
        let Ok(key) = VerifyingKey::from_sec1_bytes(&compressed) else { continue };
        let r = reduced(&key.as_affine().x().into());
        if bool::from(r.is_zero()) {
            continue;
        }
        let s = Scalar::from(0x1234_5678_9ABC_DEF1_u64);
        let key = key_for(ProjectivePoint::from(*key.as_affine()), r, s, &HASH);
        assert!(ask(&key, &HASH, &bytes(r), &bytes(s)));
        assert!(!ask(&key, &HASH, &beside(&ORDER, above), &bytes(s)), "r must be below the order");
        found += 1;
    }
    assert!(found > 5, "{found}");
}

#[test]
fn equal_and_opposite_halves_get_the_same_answers() {
    // u·G and v·Q are equal if the key is e/r, and opposite if it is -e/r.
    for number in 1..20_u64 {
        let u = Scalar::from(number * number + 1);
        let point: AffinePoint = (ProjectivePoint::GENERATOR * (u + u)).to_affine();
        let r = reduced(&point.x().into());
        let inverse = |scalar: Scalar| Option::<Scalar>::from(scalar.invert()).unwrap();
        let s = reduced(&HASH) * inverse(u);
        let secret = reduced(&HASH) * inverse(r);
        let key = |secret| uncompressed(&(ProjectivePoint::GENERATOR * secret));
        assert!(ask(&key(secret), &HASH, &bytes(r), &bytes(s)));
        assert!(!ask(&key(-secret), &HASH, &bytes(r), &bytes(s)), "the sum has no x");
    }
}

proptest! {
    #[test]
    fn signatures_get_the_same_answers(secret: [u8; 32], hash: [u8; 32], flip in 0_usize..512) {
        let Ok(signer) = SigningKey::from_slice(&secret) else { return Ok(()) };
        let mut key = uncompressed(&ProjectivePoint::from(*signer.verifying_key().as_affine()));
        let signature: Signature = signer.sign_prehash(&hash).unwrap();
        let (r, mut s) = (bytes(*signature.r()), bytes(*signature.s()));
        prop_assert!(ask(&key, &hash, &r, &s));
        s[flip / 8 % 32] ^= 1 << (flip % 8);
        prop_assert!(!ask(&key, &hash, &r, &s));
        key[flip / 8] ^= 1 << (flip % 8);
        ask(&key, &hash, &r, &s);
    }

    #[test]
    fn any_signature_gets_the_same_answer(r: [u8; 32], s: [u8; 32], hash: [u8; 32]) {
        let key = uncompressed(&(ProjectivePoint::GENERATOR * Scalar::from(5_u64)));
        ask(&key, &hash, &r, &s);
    }
}
