//! Numbers of 256 bits, and arithmetic with them modulo a number (Montgomery's way).

/// Digits to the base 2^32, lowest first.
pub(crate) type Number = [u32; 8];

pub(crate) const ZERO: Number = [0; 8];
const ONE: Number = [1, 0, 0, 0, 0, 0, 0, 0];

/// An odd modulus above 2^252. What its functions return is below it.
pub(crate) struct Modulus {
    pub(crate) value: Number,
    /// -value^-1 modulo 2^32.
    pub(crate) negated_inverse: u32,
    /// 2^512 modulo `value`.
    pub(crate) square_of_radix: Number,
}

impl Modulus {
    /// a·b / 2^256, of which only `a` must be below the modulus.
    ///
    /// Of numbers that went through [`Modulus::enter`] it is their product.
    #[inline(never)]
    pub(crate) fn mul(&self, a: &Number, b: &Number) -> Number {
        // The sum's digits are in 1..=8: each round drops the lowest, which has become zero.
        let mut sum = [0_u32; 9];
        let mut top = 0;
        for &digit in b {
            let lowest = a[0].wrapping_mul(digit).wrapping_add(sum[1]);
            let quotient = lowest.wrapping_mul(self.negated_inverse);
            let (mut carry, mut borrowed) = (0, 0);
            for i in 0..8 {
                let low;
                (low, carry) = a[i].carrying_mul_add(digit, sum[i + 1], carry);
                (sum[i], borrowed) = quotient.carrying_mul_add(self.value[i], low, borrowed);
            }
            // Below 2·modulus after every round, so the ninth digit is 0 or 1.
            let last = u64::from(carry) + u64::from(borrowed) + top;
            (sum[8], top) = (last as u32, last >> 32);
        }
        let mut product = ZERO;
        product.copy_from_slice(&sum[1..]);
        self.reduce(&product, top != 0)
    }

    /// A number below twice the modulus, with its bit 256 apart.
    #[inline(never)]
    pub(crate) fn reduce(&self, number: &Number, top: bool) -> Number {
        match minus(number, &self.value) {
            (_, true) if !top => *number,
            (difference, _) => difference,
        }
    }

    #[inline(never)]
    pub(crate) fn add(&self, a: &Number, b: &Number) -> Number {
        let (mut sum, mut carry) = (ZERO, false);
        for i in 0..8 {
            (sum[i], carry) = a[i].carrying_add(b[i], carry);
        }
        self.reduce(&sum, carry)
    }

    #[inline(never)]
    pub(crate) fn sub(&self, a: &Number, b: &Number) -> Number {
        let (negated, _) = minus(&self.value, b);
        self.add(a, &negated)
    }

    /// a·2^256, of any 256 bits: the form in which [`Modulus::mul`] multiplies.
    pub(crate) fn enter(&self, number: &Number) -> Number {
        self.mul(&self.square_of_radix, number)
    }

    /// Undoes [`Modulus::enter`].
    pub(crate) fn leave(&self, number: &Number) -> Number {
        self.mul(number, &ONE)
    }

    pub(crate) fn one(&self) -> Number {
        self.enter(&ONE)
    }

    #[inline(never)]
    pub(crate) fn power(&self, base: &Number, exponent: &Number) -> Number {
        let mut power = self.one();
        for at in (0..256).rev() {
            power = self.mul(&power, &power);
            if bit(exponent, at) {
                power = self.mul(&power, base);
            }
        }
        power
    }

    /// By Fermat: the modulus must be a prime. Zero has none and gives zero.
    pub(crate) fn inverse(&self, number: &Number) -> Number {
        let (exponent, _) = minus(&self.value, &[2, 0, 0, 0, 0, 0, 0, 0]);
        self.power(number, &exponent)
    }

    /// Whether a number is below the modulus.
    pub(crate) fn exceeds(&self, number: &Number) -> bool {
        let (_, is_below) = minus(number, &self.value);
        is_below
    }
}

/// The difference modulo 2^256, and whether it is below zero.
#[inline(never)]
fn minus(a: &Number, b: &Number) -> (Number, bool) {
    let (mut difference, mut borrow) = (ZERO, false);
    for i in 0..8 {
        (difference[i], borrow) = a[i].borrowing_sub(b[i], borrow);
    }
    (difference, borrow)
}

pub(crate) fn bit(number: &Number, at: usize) -> bool {
    number[at / 32 % 8] >> (at % 32) & 1 != 0
}

/// The number these bytes are, lowest first.
#[cfg(feature = "ed25519")]
pub(crate) fn from_little_endian(bytes: &[u8; 32]) -> Number {
    let (digits, _) = bytes.as_chunks();
    let mut number = ZERO;
    for (digit, bytes) in number.iter_mut().zip(digits) {
        *digit = u32::from_le_bytes(*bytes);
    }
    number
}

/// The number these bytes are, highest first.
#[cfg(feature = "p256")]
#[inline(never)]
pub(crate) fn from_big_endian(bytes: &[u8; 32]) -> Number {
    let (digits, _) = bytes.as_chunks();
    let mut number = ZERO;
    for (digit, bytes) in number.iter_mut().rev().zip(digits) {
        *digit = u32::from_be_bytes(*bytes);
    }
    number
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What the constants of a modulus must be.
    pub(crate) fn check_constants(modulus: &Modulus) {
        assert_eq!(modulus.value[0].wrapping_mul(modulus.negated_inverse), u32::MAX);
        // 2^256 modulo the modulus, by doubling; its own Montgomery form is 2^512.
        let double = |number: &Number| modulus.add(number, number);
        let radix = (0..256).fold(ONE, |number, _| double(&number));
        let square = (0..256).fold(radix, |number, _| double(&number));
        assert_eq!(square, modulus.square_of_radix);
        assert_eq!(modulus.one(), radix);
    }

    /// A small whole number, in Montgomery form.
    pub(crate) fn small(modulus: &Modulus, number: u32) -> Number {
        modulus.enter(&[number, 0, 0, 0, 0, 0, 0, 0])
    }

    #[test]
    fn arithmetic_holds_at_the_edges() {
        let modulus = &crate::ed25519::FIELD;
        let (last, _) = minus(&modulus.value, &ONE);
        let one = modulus.one();
        assert_eq!(modulus.add(&last, &ONE), ZERO);
        assert_eq!(modulus.sub(&ZERO, &ONE), last);
        assert_eq!(modulus.sub(&last, &ZERO), last);
        assert_eq!(modulus.leave(&modulus.enter(&modulus.value)), ZERO);
        // 2^256 - 1 is 2·p + 37.
        assert_eq!(modulus.enter(&[u32::MAX; 8]), small(modulus, 37));
        let minus_one = modulus.enter(&last);
        assert_eq!(modulus.mul(&minus_one, &minus_one), one);
        assert_eq!(modulus.mul(&modulus.inverse(&small(modulus, 7)), &small(modulus, 7)), one);
        assert_eq!(modulus.inverse(&ZERO), ZERO);
        assert!(modulus.exceeds(&last) && !modulus.exceeds(&modulus.value));
    }
}
