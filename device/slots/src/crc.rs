//! The two CRC-32 of this crate, four bits at a time: 64 bytes of table each.

/// Reflected polynomial of zlib's CRC-32, which `otadata` uses.
const ZLIB: u32 = 0xEDB8_8320;
/// Reflected polynomial of CRC-32C (Castagnoli), which records use.
const CASTAGNOLI: u32 = 0x82F6_3B78;

static CASTAGNOLI_TABLE: [u32; 16] = table(CASTAGNOLI);
static ZLIB_TABLE: [u32; 16] = table(ZLIB);

const fn table(polynomial: u32) -> [u32; 16] {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut value = nibble as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 };
            bit += 1;
        }
        table[nibble] = value;
        nibble += 1;
    }
    table
}

#[inline(never)]
fn fold(table: &[u32; 16], mut register: u32, bytes: &[u8]) -> u32 {
    for &byte in bytes {
        register ^= u32::from(byte);
        register = (register >> 4) ^ table[(register & 15) as usize];
        register = (register >> 4) ^ table[(register & 15) as usize];
    }
    register
}

/// `esp_rom_crc32_le(0xFFFFFFFF, …)`: the register starts at 0, not at all ones.
pub(crate) fn otadata_crc(sequence: u32) -> u32 {
    !fold(&ZLIB_TABLE, 0, &sequence.to_le_bytes())
}

/// CRC-32C of bytes that arrive in pieces.
#[derive(Clone, Copy)]
pub(crate) struct Crc32c(u32);

/// Both CRC-32 of a value: together they tell one flipped bit from everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueCheck {
    /// CRC-32C.
    pub(crate) crc: u32,
    /// zlib's CRC-32. `u32::MAX` stands for none, as in records of before there was one.
    pub(crate) second: u32,
}

/// [`ValueCheck`] of bytes that arrive in pieces.
#[derive(Clone, Copy)]
pub(crate) struct ValueChecker(Crc32c, u32);

impl ValueChecker {
    pub(crate) fn new() -> ValueChecker {
        ValueChecker(Crc32c::new(), u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
        self.1 = fold(&ZLIB_TABLE, self.1, bytes);
    }

    pub(crate) fn finish(self) -> ValueCheck {
        ValueCheck { crc: self.0.finish(), second: !self.1 }
    }
}

impl ValueCheck {
    pub(crate) fn of(bytes: &[u8]) -> ValueCheck {
        let mut checker = ValueChecker::new();
        checker.update(bytes);
        checker.finish()
    }

    /// What became of a value of `bytes` bytes that should have had this check.
    pub(crate) fn compare(self, found: ValueCheck, bytes: usize) -> ValueFound {
        if self.crc == found.crc {
            return ValueFound::Whole;
        }
        if self.second == u32::MAX {
            return ValueFound::Torn;
        }
        // A CRC is linear: what one bit does to it depends on its place alone.
        let bit = flipped_bit(CASTAGNOLI, self.crc ^ found.crc, bytes * 8);
        let same = flipped_bit(ZLIB, self.second ^ found.second, bytes * 8);
        bit.filter(|_| bit == same).map_or(ValueFound::Torn, ValueFound::Flipped)
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueFound {
    /// It is as it was written.
    Whole,
    /// This bit of it turned over since.
    Flipped(usize),
    /// Anything else.
    Torn,
}

/// The bit of a message of that many bits that changes its CRC by `difference`.
///
/// Goes back through the register from the end: a bit that has just been taken in leaves
/// the polynomial there.
fn flipped_bit(polynomial: u32, mut difference: u32, bits: usize) -> Option<usize> {
    for bit in (0..bits).rev() {
        if difference == polynomial {
            return Some(bit);
        }
        let had_one = difference >> 31 == 1;
        difference = if had_one { (difference ^ polynomial) << 1 | 1 } else { difference << 1 };
    }
    None
}

impl Crc32c {
    pub(crate) fn new() -> Crc32c {
        Crc32c(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0 = fold(&CASTAGNOLI_TABLE, self.0, bytes);
    }

    pub(crate) fn finish(self) -> u32 {
        !self.0
    }

    pub(crate) fn of(bytes: &[u8]) -> u32 {
        let mut crc = Crc32c::new();
        crc.update(bytes);
        crc.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otadata_crc_matches_what_the_bootloader_writes() {
        assert_eq!(otadata_crc(1).to_le_bytes(), [0x9A, 0x98, 0x43, 0x47]);
        assert_eq!(otadata_crc(2).to_le_bytes(), [0x74, 0x37, 0xF6, 0x55]);
    }

    #[test]
    fn both_match_the_published_check_values() {
        assert_eq!(Crc32c::of(b"123456789"), 0xE306_9283);
        let check = ValueCheck { crc: 0xE306_9283, second: 0xCBF4_3926 };
        assert_eq!(ValueCheck::of(b"123456789"), check);
    }

    #[test]
    fn every_flipped_bit_is_found_and_two_are_not() {
        let value: std::vec::Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(31)).collect();
        let check = ValueCheck::of(&value);
        assert_eq!(check.compare(check, value.len()), ValueFound::Whole);
        for bit in 0..value.len() * 8 {
            let mut found = value.clone();
            found[bit / 8] ^= 1 << (bit % 8);
            let flipped = check.compare(ValueCheck::of(&found), value.len());
            assert_eq!(flipped, ValueFound::Flipped(bit));
            found[(bit / 8 + 7) % 200] ^= 0x10;
            let torn = check.compare(ValueCheck::of(&found), value.len());
            assert_eq!(torn, ValueFound::Torn, "{bit}");
        }
    }

    /// The polynomial itself changes no checksum, so the polynomial less one of its bits looks
    /// like that bit to one of the two, and to the other like what it is.
    #[test]
    fn what_one_checksum_alone_takes_for_a_flipped_bit_is_torn() {
        let value: std::vec::Vec<u8> = (0..64_u8).map(|byte| byte.wrapping_mul(29)).collect();
        let check = ValueCheck::of(&value);
        for polynomial in [CASTAGNOLI, ZLIB] {
            for from in [0, 77, 64 * 8 - 33] {
                let mut found = value.clone();
                for place in (1..33).filter(|place| polynomial >> (place - 1) & 1 == 1) {
                    found[(from + place) / 8] ^= 1 << ((from + place) % 8);
                }
                let found = ValueCheck::of(&found);
                let first = flipped_bit(CASTAGNOLI, check.crc ^ found.crc, value.len() * 8);
                let second = flipped_bit(ZLIB, check.second ^ found.second, value.len() * 8);
                assert!(first == Some(from) || second == Some(from), "{first:?} {second:?}");
                assert_eq!(check.compare(found, value.len()), ValueFound::Torn, "{from}");
            }
        }
    }

    #[test]
    fn a_value_without_a_second_check_is_not_mended() {
        let check = ValueCheck { second: u32::MAX, ..ValueCheck::of(b"value") };
        assert_eq!(check.compare(ValueCheck::of(b"walue"), 5), ValueFound::Torn);
        assert_eq!(check.compare(ValueCheck::of(b"value"), 5), ValueFound::Whole);
    }

    #[test]
    fn crc32c_in_pieces_equals_crc32c_at_once() {
        let mut crc = Crc32c::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.finish(), Crc32c::of(b"123456789"));
    }
}
