use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use otaru_curves::ed25519::{is_key, verifies};
use proptest::prelude::*;
use sha2::{Digest, Sha512};

const MESSAGE: &[u8] = b"a message";

/// The order of the base point, lowest byte first.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Asks both, and fails where they differ.
fn ask(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let dalek = VerifyingKey::from_bytes(key).ok();
    let is_usable = dalek.is_some_and(|key| !key.is_weak());
    assert_eq!(is_key(key), is_usable, "key {key:02x?}");
    let signed = dalek
        .is_some_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok());
    let (head, tail) = message.split_at(message.len() / 2);
    let ours = verifies(key, &[head, tail], signature);
    assert_eq!(ours, signed, "key {key:02x?}, message {message:02x?}, signature {signature:02x?}");
    ours
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    [*r, *s].as_flattened().try_into().unwrap()
}

/// The sum of two numbers, lowest byte first.
fn plus(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    core::array::from_fn(|i| {
        let sum = u16::from(a[i]) + u16::from(b[i]) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

/// p + `above`, with the sign bit or without.
fn not_reduced(above: u8, sign: bool) -> [u8; 32] {
    let mut bytes = [0xFF; 32];
    bytes[0] = 0xED + above;
    bytes[31] = if sign { 0xFF } else { 0x7F };
    bytes
}

/// Encodings where readers differ: small orders, y above p, x = 0 with a sign, not on the curve.
fn odd_points() -> Vec<[u8; 32]> {
    let small_orders = EIGHT_TORSION.map(|point| point.compress().0);
    let signs = small_orders.map(|mut bytes| {
        bytes[31] ^= 0x80;
        bytes
    });
    let mut points = [small_orders, signs].concat();
    for number in 0..=18 {
        points.extend([not_reduced(number, false), not_reduced(number, true)]);
        let mut small = [0; 32];
        small[0] = number;
        points.push(small);
    }
    let mixed = EIGHT_TORSION.map(|point| (BASE + point).compress().0);
    points.extend(mixed);
    points.push([0xAA; 32]);
    points
}

fn odd_numbers() -> Vec<[u8; 32]> {
    let mut one = [0; 32];
    one[0] = 1;
    let mut less = ORDER;
    less[0] -= 1;
    let mut power = [0; 32];
    power[31] = 0x10;
    let top_bit = core::array::from_fn(|i| if i == 31 { 0x80 } else { 0 });
    vec![[0; 32], one, less, ORDER, plus(&ORDER, &one), power, top_bit, [0xFF; 32]]
}

#[test]
fn odd_keys_and_signatures_get_the_same_answers() {
    let (points, numbers) = (odd_points(), odd_numbers());
    for key in &points {
        for r in &points {
            for s in &numbers[1..3] {
                ask(key, MESSAGE, &joined(r, s));
            }
        }
        for s in &numbers {
            ask(key, MESSAGE, &joined(key, s));
        }
    }
}

#[test]
fn a_signature_has_one_form() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = key.verifying_key().to_bytes();
    let signature = key.sign(MESSAGE);
    let (r, s) = (*signature.r_bytes(), *signature.s_bytes());
    assert!(ask(&public, MESSAGE, &joined(&r, &s)));
    let mut malleable = s;
    for _ in 0..15 {
        malleable = plus(&malleable, &ORDER);
        assert!(!ask(&public, MESSAGE, &joined(&r, &malleable)));
    }
    for at in 0..512 {
        let mut flipped = joined(&r, &s);
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(!ask(&public, MESSAGE, &flipped));
    }
    for at in 0..256 {
        let mut other = public;
        other[at / 8] ^= 1 << (at % 8);
        assert!(!ask(&other, MESSAGE, &joined(&r, &s)));
    }
}

/// A signature by `secret`, with a key and an R that are off by points of small order.
fn sign_beside(secret: Scalar, of_key: EdwardsPoint, of_r: EdwardsPoint, message: &[u8]) -> bool {
    let nonce = Scalar::from(0x1234_5678_9ABC_DEF1_u64) * secret;
    let key = (BASE * secret + of_key).compress().0;
    let r = (BASE * nonce + of_r).compress().0;
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.into());
    ask(&key, message, &joined(&r, (nonce + challenge * secret).as_bytes()))
}

#[test]
fn keys_of_mixed_order_get_the_same_answers() {
    let secret = Scalar::from_bytes_mod_order([0x42; 32]);
    let mut taken = 0;
    for of_key in EIGHT_TORSION {
        for of_r in EIGHT_TORSION {
            for number in 0..8_u8 {
                taken += u32::from(sign_beside(secret, of_key, of_r, &[number]));
            }
        }
    }
    // The equation without the cofactor holds for some, whatever their challenge does to the rest.
    assert!((8..512).contains(&taken), "{taken}");
}

proptest! {
    #[test]
    fn signatures_get_the_same_answers(
        seed: [u8; 32],
        message in proptest::collection::vec(any::<u8>(), 0..300),
        flip in 0_usize..2048,
    ) {
        let key = SigningKey::from_bytes(&seed);
        let mut public = key.verifying_key().to_bytes();
        let mut signature = key.sign(&message).to_bytes();
        prop_assert!(ask(&public, &message, &signature));
        signature[flip / 8 % 64] ^= 1 << (flip % 8);
        prop_assert!(!ask(&public, &message, &signature));
        public[flip / 8 % 32] ^= 1 << (flip % 8);
        ask(&public, &message, &signature);
    }

    #[test]
    fn any_bytes_get_the_same_answers(key: [u8; 32], r: [u8; 32], s: [u8; 32]) {
        ask(&key, MESSAGE, &joined(&r, &s));
    }
}
