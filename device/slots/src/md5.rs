//! MD5, which ends a partition table: it proves nothing there, it finds what broke. In loops, as
//! code is dearer to a chip than time is at one start.

/// The whole part of 2³² · |sin(step + 1)| (RFC 1321 §3.4).
static SINES: [u32; 64] = [
    0xD76A_A478,
    0xE8C7_B756,
    0x2420_70DB,
    0xC1BD_CEEE,
    0xF57C_0FAF,
    0x4787_C62A,
    0xA830_4613,
    0xFD46_9501,
    0x6980_98D8,
    0x8B44_F7AF,
    0xFFFF_5BB1,
    0x895C_D7BE,
    0x6B90_1122,
    0xFD98_7193,
    0xA679_438E,
    0x49B4_0821,
    0xF61E_2562,
    0xC040_B340,
    0x265E_5A51,
    0xE9B6_C7AA,
    0xD62F_105D,
    0x0244_1453,
    0xD8A1_E681,
    0xE7D3_FBC8,
    0x21E1_CDE6,
    0xC337_07D6,
    0xF4D5_0D87,
    0x455A_14ED,
    0xA9E3_E905,
    0xFCEF_A3F8,
    0x676F_02D9,
    0x8D2A_4C8A,
    0xFFFA_3942,
    0x8771_F681,
    0x6D9D_6122,
    0xFDE5_380C,
    0xA4BE_EA44,
    0x4BDE_CFA9,
    0xF6BB_4B60,
    0xBEBF_BC70,
    0x289B_7EC6,
    0xEAA1_27FA,
    0xD4EF_3085,
    0x0488_1D05,
    0xD9D4_D039,
    0xE6DB_99E5,
    0x1FA2_7CF8,
    0xC4AC_5665,
    0xF429_2244,
    0x432A_FF97,
    0xAB94_23A7,
    0xFC93_A039,
    0x655B_59C3,
    0x8F0C_CC92,
    0xFFEF_F47D,
    0x8584_5DD1,
    0x6FA8_7E4F,
    0xFE2C_E6E0,
    0xA301_4314,
    0x4E08_11A1,
    0xF753_7E82,
    0xBD3A_F235,
    0x2AD7_D2BB,
    0xEB86_D391,
];

/// How far each step of a round turns: four numbers, again and again.
static TURNS: [[u8; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

const BLOCK_BYTES: usize = 64;
/// The length in bits, at the end of the last block.
const LENGTH_BYTES: usize = 8;

/// The MD5 of `bytes`.
#[inline(never)] // A chip has room for it once.
pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    let mut state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    for start in (0..=bytes.len() + LENGTH_BYTES).step_by(BLOCK_BYTES) {
        let mut block = [0; BLOCK_BYTES];
        let rest = bytes.get(start..).unwrap_or_default();
        for (to, &from) in block.iter_mut().zip(rest) {
            *to = from;
        }
        if let Some(end) = bytes.len().checked_sub(start).and_then(|end| block.get_mut(end)) {
            *end = 0x80;
        }
        if rest.len() + LENGTH_BYTES < BLOCK_BYTES {
            let bits = bytes.len() as u64 * 8;
            block[BLOCK_BYTES - LENGTH_BYTES..].copy_from_slice(&bits.to_le_bytes());
        }
        take_block(&mut state, &block);
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    digest
}

fn take_block(state: &mut [u32; 4], block: &[u8; BLOCK_BYTES]) {
    let (words, _) = block.as_chunks();
    let [mut a, mut b, mut c, mut d] = *state;
    for (step, sine) in SINES.iter().enumerate() {
        let round = step / 16;
        let (mixed, word) = match round {
            0 => (b & c | !b & d, step),
            1 => (d & b | !d & c, 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(*sine);
        let sum = sum.wrapping_add(u32::from_le_bytes(words[word % 16]));
        let turned = sum.rotate_left(TURNS[round][step % 4].into());
        (a, b, c, d) = (d, b.wrapping_add(turned), b, c);
    }
    for (sum, word) in state.iter_mut().zip([a, b, c, d]) {
        *sum = sum.wrapping_add(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> std::string::String {
        bytes.iter().map(|byte| std::format!("{byte:02x}")).collect()
    }

    /// RFC 1321, appendix A.5.
    #[test]
    fn published_digests() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(hex(&md5(text.as_bytes())), digest, "{text}");
        }
    }

    /// Against another implementation, where padding begins another block.
    #[test]
    fn lengths_around_a_block() {
        for (length, digest) in [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (63, "b06521f39153d618550606be297466d5"),
            (64, "014842d480b571495a4a0363793f7367"),
            (119, "8a7bd0732ed6a28ce75f6dabc90e1613"),
            (120, "5f61c0ccad4cac44c75ff505e1f1e537"),
        ] {
            assert_eq!(hex(&md5(&[b'a'; 120][..length])), digest, "{length}");
        }
    }
}
