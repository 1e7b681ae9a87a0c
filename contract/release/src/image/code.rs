//! Bytes that look like a program: common words, rarer immediates, some text.

use alloc::vec::Vec;

/// xorshift64*: small, fast, and the same on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }
}

/// Words any RISC-V program is full of: prologues, returns, moves, loads.
const COMMON: [u32; 16] = [
    0x1141_C606,
    0x8082_4501,
    0x0001_0113,
    0x00C1_2083,
    0xFE01_0113,
    0x0081_2E23,
    0x0020_0513,
    0x0000_8067,
    0x0005_0793,
    0x0007_A783,
    0x00F5_2023,
    0xFF01_0113,
    0x0011_2623,
    0x0121_2023,
    0x8522_4422,
    0x8082_0141,
];

const TEXT: &[u8] =
    b"E (%lu) %s: esp_err_t %d in task\0mqtt\0http_client\0wifi:state: run -> init\0";

/// Appends `length_bytes` (a multiple of four) of code drawn from `seed`.
///
/// About half of it is common words, so it compresses to 55 to 65 % as real
/// images do; other seeds give other bytes throughout.
pub(super) fn append(image: &mut Vec<u8>, length_bytes: usize, seed: u64) {
    let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let end = image.len() + length_bytes;
    while image.len() < end {
        let draw = rng.next();
        match draw & 0xF {
            // A string table entry now and then; it stays aligned to words.
            0 if draw >> 28 == 0 && image.len() + TEXT.len() < end => {
                let words = TEXT.len() / 4 * 4;
                image.extend_from_slice(&TEXT[..words]);
            }
            0..8 => image.extend_from_slice(&COMMON[(draw >> 4) as usize & 0xF].to_le_bytes()),
            8..12 => {
                // A common opcode with a random immediate.
                let word = COMMON[(draw >> 4) as usize & 0xF] & 0xFFFF | draw & 0xFFFF_0000;
                image.extend_from_slice(&word.to_le_bytes());
            }
            _ => image.extend_from_slice(&rng.next().to_le_bytes()),
        }
    }
}
