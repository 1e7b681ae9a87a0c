//! Ed25519 (RFC 8032), by the strict rule.

use sha2::{Digest, Sha512};

use crate::group::Group;
use crate::modulus::{Modulus, Number, ZERO, from_little_endian};

/// The field of the curve: 2^255 - 19.
pub(crate) const FIELD: Modulus = Modulus {
    value: [!18, !0, !0, !0, !0, !0, !0, !0 >> 1],
    negated_inverse: 0x286B_CA1B,
    square_of_radix: [38 * 38, 0, 0, 0, 0, 0, 0, 0],
};

/// The order of the base point.
const ORDER: Modulus = Modulus {
    value: [0x5CF5_D3ED, 0x5812_631A, 0xA2F7_9CD6, 0x14DE_F9DE, 0, 0, 0, 0x1000_0000],
    negated_inverse: 0x1254_7E1B,
    square_of_radix: [
        0x449C_0F01,
        0xA406_11E3,
        0x6885_9347,
        0xD00E_1BA7,
        0x17F5_BE65,
        0xCEEC_73D2,
        0x7C30_9A3D,
        0x0399_411B,
    ],
};

/// d = -121665/121666 of the curve -x² + y² = 1 + d·x²·y², in Montgomery form.
const D: Number = [
    0xDF47_E9FA,
    0x80ED_8BFE,
    0xAFC6_2973,
    0x10A1_8777,
    0xBC18_8690,
    0xE593_9207,
    0x729F_C526,
    0x2C82_2B5A,
];

/// A square root of -1, in Montgomery form.
const ROOT_OF_MINUS_ONE: Number = [
    0xFE2B_DB04,
    0x3B58_07D4,
    0xB51B_E9ED,
    0x03F5_90FD,
    0x3362_02D1,
    0x6D6E_16BF,
    0xD6C7_1BA8,
    0x7577_6B0B,
];

/// (p + 3) / 8: a number to that power is a root of its square or of its negative.
const ROOT: Number = [!1, !0, !0, !0, !0, !0, !0, !0 >> 4];

/// The base point: y = 4/5, x even.
const BASE: [u8; 32] = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    bytes
};

/// Whether 32 bytes are a key by which something can be proved: a point of the curve, and
/// none of the eight under which anybody can sign.
pub fn is_key(bytes: &[u8; 32]) -> bool {
    Point::read(bytes).is_some_and(|point| !point.is_small_order())
}

/// Whether the key signed the message, which comes in pieces; by `verify_strict` of `ed25519-dalek`: s is below the
/// order, R is in its one form, and neither R nor the key is of small order.
pub fn verifies(key: &[u8; 32], message: &[&[u8]], signature: &[u8; 64]) -> bool {
    let [r, s] = halves(signature);
    let s = from_little_endian(s);
    let Some(point) = Point::read(key) else { return false };
    let Some(base) = Point::read(&BASE) else { return false };
    if !ORDER.exceeds(&s) || point.is_small_order() {
        return false;
    }
    let mut hash = Sha512::new();
    take(&mut hash, r);
    take(&mut hash, key);
    message.iter().for_each(|bytes| take(&mut hash, bytes));
    let [low, high] = halves(hash.finalize().as_ref()).map(from_little_endian);
    // Entering multiplies by 2^256, which is what the high half counts.
    let challenge = ORDER.add(&ORDER.leave(&ORDER.enter(&low)), &ORDER.enter(&high));
    let expected = Group::sum_of_multiples(&s, &base, &challenge, &point.negated());
    !expected.is_small_order() && expected.is_written(r)
}

#[inline(never)] // What it inlines is too large for a chip to have twice.
fn take(hash: &mut Sha512, bytes: &[u8]) {
    hash.update(bytes);
}

fn halves(bytes: &[u8; 64]) -> [&[u8; 32]; 2] {
    let (halves, _) = bytes.as_chunks();
    [&halves[0], &halves[1]]
}

/// x = X/Z, y = Y/Z, T = X·Y/Z; all in Montgomery form.
#[derive(Clone, Copy)]
struct Point {
    x: Number,
    y: Number,
    z: Number,
    t: Number,
}

impl Point {
    /// The point that 32 bytes name: y with 255 bits, reduced, and the lowest bit of x.
    fn read(bytes: &[u8; 32]) -> Option<Point> {
        let f = &FIELD;
        let (y, x_is_odd) = split(bytes);
        let (y, one) = (f.enter(&y), f.one());
        // x² = (y² - 1) / (d·y² + 1), and the divisor is never zero.
        let y_square = f.mul(&y, &y);
        let divisor = f.add(&f.mul(&D, &y_square), &one);
        let square = f.mul(&f.sub(&y_square, &one), &f.inverse(&divisor));
        let mut x = f.power(&square, &ROOT);
        if f.mul(&x, &x) != square {
            x = f.mul(&x, &ROOT_OF_MINUS_ONE);
        }
        if f.mul(&x, &x) != square {
            return None;
        }
        let point = Point { x, y, z: one, t: f.mul(&x, &y) };
        Some(if is_odd(&x) == x_is_odd { point } else { point.negated() })
    }

    fn negated(&self) -> Point {
        let negated = |number| FIELD.sub(&ZERO, number);
        Point { x: negated(&self.x), t: negated(&self.t), ..*self }
    }

    /// Whether these bytes are this point in its one form.
    fn is_written(&self, bytes: &[u8; 32]) -> bool {
        let f = &FIELD;
        let inverse = f.inverse(&self.z);
        let (y, x_is_odd) = split(bytes);
        f.leave(&f.mul(&self.y, &inverse)) == y && is_odd(&f.mul(&self.x, &inverse)) == x_is_odd
    }

    /// Whether eight times the point is neutral: it is one of eight.
    fn is_small_order(&self) -> bool {
        let twice = self.add(self);
        let four_times = twice.add(&twice);
        // Of the points that are eight times another only the neutral one has x = 0.
        four_times.add(&four_times).x == ZERO
    }
}

fn split(bytes: &[u8; 32]) -> (Number, bool) {
    let mut number = from_little_endian(bytes);
    let is_odd = number[7] >> 31 != 0;
    number[7] &= !0 >> 1;
    (number, is_odd)
}

/// Of a number in Montgomery form.
fn is_odd(number: &Number) -> bool {
    FIELD.leave(number)[0] & 1 != 0
}

impl Group for Point {
    fn neutral() -> Point {
        Point { x: ZERO, y: FIELD.one(), z: FIELD.one(), t: ZERO }
    }

    /// Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 3.1: complete, as -1 is
    /// a square and d is none.
    #[inline(never)]
    fn add(&self, other: &Point) -> Point {
        let f = &FIELD;
        let a = f.mul(&self.x, &other.x);
        let b = f.mul(&self.y, &other.y);
        let c = f.mul(&f.mul(&self.t, &other.t), &D);
        let d = f.mul(&self.z, &other.z);
        let h = f.add(&b, &a);
        let e = f.sub(&f.mul(&f.add(&self.x, &self.y), &f.add(&other.x, &other.y)), &h);
        let (g, i) = (f.add(&d, &c), f.sub(&d, &c));
        Point { x: f.mul(&e, &i), y: f.mul(&g, &h), z: f.mul(&i, &g), t: f.mul(&e, &h) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modulus::tests::{check_constants, small};

    #[test]
    fn constants_are_what_they_are_called() {
        check_constants(&FIELD);
        check_constants(&ORDER);
        let f = &FIELD;
        let minus = |number| f.sub(&ZERO, &small(f, number));
        assert_eq!(f.mul(&D, &small(f, 121_666)), minus(121_665));
        assert_eq!(f.mul(&ROOT_OF_MINUS_ONE, &ROOT_OF_MINUS_ONE), minus(1));
        let base = Point::read(&BASE).unwrap();
        assert_eq!(f.mul(&base.y, &small(f, 5)), small(f, 4));
        let multiple = Point::sum_of_multiples(&ORDER.value, &base, &ZERO, &base);
        assert!(multiple.x == ZERO && multiple.y == multiple.z, "the base point's order");
    }
}
