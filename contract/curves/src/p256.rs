//! ECDSA on P-256 (FIPS 186-5), either value of s.

use crate::group::Group;
use crate::modulus::{Modulus, Number, ZERO, from_big_endian};

/// The field of the curve: 2^256 - 2^224 + 2^192 + 2^96 - 1.
const FIELD: Modulus = Modulus {
    value: [!0, !0, !0, 0, 0, 0, 1, !0],
    negated_inverse: 1,
    square_of_radix: [3, 0, !0, !4, !1, !0, !2, 4],
};

/// The order of the curve.
const ORDER: Modulus = Modulus {
    value: [0xFC63_2551, 0xF3B9_CAC2, 0xA717_9E84, 0xBCE6_FAAD, !0, !0, 0, !0],
    negated_inverse: 0xEE00_BC4F,
    square_of_radix: [
        0xBE79_EEA2,
        0x8324_4C95,
        0x49BD_6FA6,
        0x4699_799C,
        0x2B6B_EC59,
        0x2845_B239,
        0xF3D9_5620,
        0x66E1_2D94,
    ],
};

/// b of the curve y² = x³ - 3·x + b, in Montgomery form.
const B: Number = [
    0x29C4_BDDF,
    0xD89C_DF62,
    0x7884_3090,
    0xACF0_05CD,
    0xF721_2ED6,
    0xE5A2_20AB,
    0x0487_4834,
    0xDC30_061D,
];

/// The base point, in Montgomery form.
const BASE_X: Number = [
    0x18A9_143C,
    0x79E7_30D4,
    0x5FED_B601,
    0x75BA_95FC,
    0x7762_2510,
    0x79FB_732B,
    0xA537_55C6,
    0x1890_5F76,
];
const BASE_Y: Number = [
    0xCE95_560A,
    0xDDF2_5357,
    0xBA19_E45C,
    0x8B4A_B8E4,
    0xDD21_F325,
    0xD2E8_8688,
    0x2588_5D85,
    0x8571_FF18,
];

/// Whether 65 bytes are a key: `04`, x and y of a point of the curve (SEC 1).
pub fn is_key(bytes: &[u8; 65]) -> bool {
    Point::read(bytes).is_some()
}

/// Whether the key signed what has this SHA-256; the signature is r and s, highest byte first.
pub fn verifies(key: &[u8; 65], sha256: &[u8; 32], signature: &[u8; 64]) -> bool {
    let (halves, _) = signature.as_chunks();
    let (r, s) = (from_big_endian(&halves[0]), from_big_endian(&halves[1]));
    let in_range = |number: &Number| *number != ZERO && ORDER.exceeds(number);
    let Some(point) = Point::read(key) else { return false };
    if !in_range(&r) || !in_range(&s) {
        return false;
    }
    // In Montgomery form, so that its products with what is not are plain numbers.
    let inverse = ORDER.inverse(&ORDER.enter(&s));
    let (u, v) = (ORDER.mul(&inverse, &from_big_endian(sha256)), ORDER.mul(&inverse, &r));
    let base = Point { x: BASE_X, y: BASE_Y, z: FIELD.one() };
    let sum = Group::sum_of_multiples(&u, &base, &v, &point);
    // The neutral point has z = 0 and gives 0, which r is not.
    let x = FIELD.leave(&FIELD.mul(&sum.x, &FIELD.inverse(&sum.z)));
    ORDER.reduce(&x, false) == r
}

/// x = X/Z, y = Y/Z; in Montgomery form.
#[derive(Clone, Copy)]
struct Point {
    x: Number,
    y: Number,
    z: Number,
}

impl Point {
    fn read(bytes: &[u8; 65]) -> Option<Point> {
        let (&[kind], coordinates) = bytes.split_first_chunk()?;
        let (coordinates, _) = coordinates.as_chunks();
        let (x, y) = (from_big_endian(&coordinates[0]), from_big_endian(&coordinates[1]));
        if kind != 4 || !FIELD.exceeds(&x) || !FIELD.exceeds(&y) {
            return None;
        }
        let point = Point { x: FIELD.enter(&x), y: FIELD.enter(&y), z: FIELD.one() };
        point.is_on_curve().then_some(point)
    }

    fn is_on_curve(&self) -> bool {
        let f = &FIELD;
        let square = f.mul(&self.x, &self.x);
        let factor = f.sub(&square, &triple(&self.z));
        f.mul(&self.y, &self.y) == f.add(&f.mul(&self.x, &factor), &B)
    }
}

fn triple(number: &Number) -> Number {
    FIELD.add(&FIELD.add(number, number), number)
}

impl Group for Point {
    fn neutral() -> Point {
        Point { x: ZERO, y: FIELD.one(), z: ZERO }
    }

    /// Renes, Costello, Batina, "Complete addition formulas for prime order elliptic curves", 3.2.
    #[inline(never)]
    fn add(&self, other: &Point) -> Point {
        let f = &FIELD;
        let mixed = |[a, b]: [&Number; 2], [c, d]: [&Number; 2], rest: &Number| {
            f.sub(&f.mul(&f.add(a, b), &f.add(c, d)), rest)
        };
        let xx = f.mul(&self.x, &other.x);
        let yy = f.mul(&self.y, &other.y);
        let zz = f.mul(&self.z, &other.z);
        let xy = mixed([&self.x, &self.y], [&other.x, &other.y], &f.add(&xx, &yy));
        let yz = mixed([&self.y, &self.z], [&other.y, &other.z], &f.add(&yy, &zz));
        let xz = mixed([&self.x, &self.z], [&other.x, &other.z], &f.add(&xx, &zz));
        let middle = triple(&f.sub(&xz, &f.mul(&B, &zz)));
        let (plus, minus) = (f.add(&yy, &middle), f.sub(&yy, &middle));
        let three_zz = triple(&zz);
        let u = triple(&f.sub(&f.sub(&f.mul(&B, &xz), &three_zz), &xx));
        let v = f.sub(&triple(&xx), &three_zz);
        Point {
            x: f.sub(&f.mul(&xy, &plus), &f.mul(&yz, &u)),
            y: f.add(&f.mul(&plus, &minus), &f.mul(&v, &u)),
            z: f.add(&f.mul(&yz, &minus), &f.mul(&xy, &v)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modulus::tests::check_constants;

    #[test]
    fn constants_are_what_they_are_called() {
        check_constants(&FIELD);
        check_constants(&ORDER);
        let base = Point { x: BASE_X, y: BASE_Y, z: FIELD.one() };
        assert!(base.is_on_curve());
        let multiple = Point::sum_of_multiples(&ORDER.value, &base, &ZERO, &base);
        assert_eq!(multiple.z, ZERO, "the base point's order");
    }
}
