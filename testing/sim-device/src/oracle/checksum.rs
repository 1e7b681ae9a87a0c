//! Both checksums bit by bit, from their definitions.

use std::collections::HashMap;
use std::sync::OnceLock;

/// CRC-32C of bytes: what records carry.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for &byte in bytes {
        register ^= u32::from(byte);
        for _ in 0..8 {
            register =
                if register & 1 == 1 { (register >> 1) ^ 0x82F6_3B78 } else { register >> 1 };
        }
    }
    !register
}

/// CRC-32 of zlib over bytes: what records carry beside it.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |register, &byte| {
        (0..8).fold(register ^ u32::from(byte), |register, _| {
            if register & 1 == 1 { (register >> 1) ^ 0xEDB8_8320 } else { register >> 1 }
        })
    })
}

/// Turns the bit back that turned over in a value, if it was one: then both checksums hold.
pub(super) fn mended(value: &[u8], crc: u32, second: u32) -> Option<Vec<u8>> {
    let found = crc32c(value);
    if found == crc {
        return Some(value.to_vec());
    }
    // What one bit does to the checksum depends on its distance from the end alone.
    let from_end = *distances().get(&(found ^ crc))?;
    let bit = (value.len() * 8).checked_sub(from_end + 1)?;
    let mut mended = value.to_vec();
    mended[bit / 8] ^= 1 << (bit % 8);
    (second != u32::MAX && crc32(&mended) == second).then_some(mended)
}

/// By the change of a CRC-32C: how many bits from the end of a value the one is that makes it.
fn distances() -> &'static HashMap<u32, usize> {
    static DISTANCES: OnceLock<HashMap<u32, usize>> = OnceLock::new();
    DISTANCES.get_or_init(|| {
        let mut change = 1_u32;
        let mut step = || {
            change = if change & 1 == 1 { (change >> 1) ^ 0x82F6_3B78 } else { change >> 1 };
            change
        };
        (0..4096 * 8).map(|from_end| (step(), from_end)).collect()
    })
}

/// What the boot selector keeps beside a sequence: CRC-32 with a register that starts at zero.
pub fn sequence_crc(sequence: u32) -> u32 {
    let register = (0..32).fold(sequence, |register, _| {
        if register & 1 == 1 { (register >> 1) ^ 0xEDB8_8320 } else { register >> 1 }
    });
    !register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_mended_and_no_more() {
        let value: Vec<u8> = (0..40).collect();
        let (crc, second) = (crc32c(&value), crc32(&value));
        for bit in 0..320 {
            let mut found = value.clone();
            found[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(mended(&found, crc, second), Some(value.clone()));
            found[(bit / 8 + 1) % 40] ^= 1;
            assert_eq!(mended(&found, crc, second), None);
        }
    }

    #[test]
    fn published_vectors() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(sequence_crc(1).to_le_bytes(), [0x9A, 0x98, 0x43, 0x47]);
        assert_eq!(sequence_crc(2).to_le_bytes(), [0x74, 0x37, 0xF6, 0x55]);
    }
}
