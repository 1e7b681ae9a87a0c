//! heatshrink with a window of 8 and a lookahead of 7 bits.
//!
//! A set bit and a byte, or a clear bit, how far back less one and how many bytes
//! less one. Ours, because an encoder that sees everything picks the fewest bits,
//! and those there are take the first match they find.

pub(crate) const WINDOW_BITS: u32 = 8;
pub(crate) const LOOKAHEAD_BITS: u32 = 7;

const WINDOW: usize = 1 << WINDOW_BITS;
const LONGEST: usize = 1 << LOOKAHEAD_BITS;
const LITERAL_BITS: u64 = 1 + 8;
const MATCH_BITS: u64 = 1 + WINDOW_BITS as u64 + LOOKAHEAD_BITS as u64;

/// Packs `bytes` into the fewest bits.
pub(crate) fn shrink(bytes: &[u8]) -> Vec<u8> {
    // From the end: what the rest costs, and the match that it begins with.
    let mut costs = vec![0_u64; bytes.len() + 1];
    let mut matches = vec![(0_u16, 0_u16); bytes.len()];
    for at in (0..bytes.len()).rev() {
        costs[at] = LITERAL_BITS + costs[at + 1];
        let (back, length) = longest_match(bytes, at);
        if length > 1 && MATCH_BITS + costs[at + length] < costs[at] {
            costs[at] = MATCH_BITS + costs[at + length];
            matches[at] = (back as u16, length as u16);
        }
    }
    let (mut bits, mut at) = (BitWriter::default(), 0);
    while at < bytes.len() {
        match matches[at] {
            (_, 0) => {
                bits.put(1 << 8 | u32::from(bytes[at]), 9);
                at += 1;
            }
            (back, length) => {
                bits.put(u32::from(back) - 1, 1 + WINDOW_BITS);
                bits.put(u32::from(length) - 1, LOOKAHEAD_BITS);
                at += usize::from(length);
            }
        }
    }
    bits.finish()
}

fn longest_match(bytes: &[u8], at: usize) -> (usize, usize) {
    let room = (bytes.len() - at).min(LONGEST);
    let mut best = (0, 0);
    for back in 1..=WINDOW.min(at) {
        if best.1 < room && bytes[at + best.1] != bytes[at - back + best.1] {
            continue;
        }
        let run = (0..room).take_while(|&next| bytes[at + next] == bytes[at - back + next]).count();
        if run > best.1 {
            best = (back, run);
            if run == room {
                break;
            }
        }
    }
    best
}

/// Unpacks `length` bytes; nothing if there are not so many.
pub(crate) fn unshrink(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let (mut bits, mut bytes) = (BitReader { packed, at: 0 }, Vec::with_capacity(length));
    while bytes.len() < length {
        if bits.take(1)? == 1 {
            bytes.push(bits.take(8)? as u8);
        } else {
            let back = bits.take(WINDOW_BITS)? + 1;
            for _ in 0..=bits.take(LOOKAHEAD_BITS)? {
                bytes.push(bytes[bytes.len().checked_sub(back)?]);
            }
        }
    }
    (bytes.len() == length).then_some(bytes)
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u32,
    pending_bits: u32,
}

impl BitWriter {
    /// Writes the lowest `bits` of `value`, highest first.
    fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | value;
        self.pending_bits += bits;
        while self.pending_bits >= 8 {
            self.pending_bits -= 8;
            self.bytes.push((self.pending >> self.pending_bits) as u8);
        }
        self.pending &= (1 << self.pending_bits) - 1;
    }

    fn finish(mut self) -> Vec<u8> {
        if self.pending_bits > 0 {
            self.put(0, 8 - self.pending_bits);
        }
        self.bytes
    }
}

struct BitReader<'a> {
    packed: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn take(&mut self, bits: u32) -> Option<usize> {
        let mut value = 0;
        for _ in 0..bits {
            let byte = self.packed.get(self.at / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_bits() {
        // The byte a; then one back, four bytes; padding.
        assert_eq!(shrink(b"aaaaa"), [0b1011_0000, 0b1000_0000, 0b0000_0001, 0b1000_0000]);
        assert!(shrink(b"").is_empty());
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(0..4_u8, 0..2_000)) {
            let packed = shrink(&bytes);
            prop_assert_eq!(unshrink(&packed, bytes.len()), Some(bytes));
        }
    }
}
