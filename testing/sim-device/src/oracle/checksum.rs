//! Both checksums bit by bit, from their definitions.

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
    fn published_vectors() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(sequence_crc(1).to_le_bytes(), [0x9A, 0x98, 0x43, 0x47]);
        assert_eq!(sequence_crc(2).to_le_bytes(), [0x74, 0x37, 0xF6, 0x55]);
    }
}
