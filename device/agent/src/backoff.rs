/// A delay before try number `tries + 1`: uniform in `0..=min(cap, base · 2^tries)`.
///
/// The whole range is random ("full jitter"), so that a fleet that lost its
/// server at one moment does not come back at one moment. A zero `base_ms`
/// counts as one millisecond, so that a delay always exists to be waited.
#[inline(never)]
pub fn full_jitter(base_ms: u64, cap_ms: u64, tries: u32, random: u64) -> u64 {
    let ceiling = base_ms.max(1).checked_shl(tries).filter(|&long| long >> tries == base_ms.max(1));
    let ceiling = ceiling.unwrap_or(u64::MAX).min(cap_ms.max(1));
    up_to(ceiling, random)
}

/// A number that is uniform over `0..=ceiling`: the upper half of a product, without a division.
#[inline(never)]
pub(crate) fn up_to(ceiling: u64, random: u64) -> u64 {
    ((u128::from(random) * u128::from(ceiling) + u128::from(random)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::full_jitter;

    #[test]
    fn delay_doubles_up_to_the_cap() {
        let ceilings: [u64; 6] =
            core::array::from_fn(|tries| full_jitter(30, 200, tries as u32, u64::MAX));
        assert_eq!(ceilings, [30, 60, 120, 200, 200, 200]);
    }

    #[test]
    fn delay_uses_the_whole_range() {
        assert_eq!(full_jitter(1000, 10_000, 0, 0), 0);
        assert_eq!(full_jitter(1000, 10_000, 0, 1 << 63), 500);
    }

    #[test]
    fn no_number_of_tries_overflows() {
        assert_eq!(full_jitter(30_000, 21_600_000, u32::MAX, u64::MAX), 21_600_000);
        assert_eq!(full_jitter(u64::MAX, u64::MAX, 63, u64::MAX), u64::MAX);
        assert_eq!(full_jitter(0, 0, 0, u64::MAX), 1);
    }
}
