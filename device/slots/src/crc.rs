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
    fn crc32c_matches_the_published_check_value() {
        assert_eq!(Crc32c::of(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn crc32c_in_pieces_equals_crc32c_at_once() {
        let mut crc = Crc32c::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.finish(), Crc32c::of(b"123456789"));
    }
}
