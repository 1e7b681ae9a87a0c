use crate::modulus::{Number, bit};

/// Points of a curve with one formula of addition that is right for every two of them.
pub(crate) trait Group: Copy {
    fn neutral() -> Self;
    fn add(&self, other: &Self) -> Self;

    /// a·p + b·q, both multiplied in one go (Shamir's trick).
    fn sum_of_multiples(a: &Number, p: &Self, b: &Number, q: &Self) -> Self {
        let both = p.add(q);
        let mut sum = Self::neutral();
        for at in (0..256).rev() {
            sum = sum.add(&sum);
            let addend = match (bit(a, at), bit(b, at)) {
                (true, true) => &both,
                (true, false) => p,
                (false, true) => q,
                (false, false) => continue,
            };
            sum = sum.add(addend);
        }
        sum
    }
}
