//! A decoder of raw LZMA1 with lc = lp = pb = 0 and no end marker.
//!
//! Ours, because those that are kept need a heap or the whole input at once: this
//! one needs its dictionary, 3.5 KiB for what it learns, and a byte at a time.

use super::PatchError;
use super::window::Window;

/// Where each group of learnt probabilities begins.
const IS_MATCH: usize = 0;
const IS_REP: usize = IS_MATCH + STATES;
const IS_REP_G0: usize = IS_REP + STATES;
const IS_REP_G1: usize = IS_REP_G0 + STATES;
const IS_REP_G2: usize = IS_REP_G1 + STATES;
const IS_REP0_LONG: usize = IS_REP_G2 + STATES;
const DISTANCE_SLOT: usize = IS_REP0_LONG + STATES;
const DISTANCE: usize = DISTANCE_SLOT + 4 * 64;
const ALIGN: usize = DISTANCE + 128 - 14 + 1;
const MATCH_LENGTH: usize = ALIGN + 16;
const REP_LENGTH: usize = MATCH_LENGTH + LENGTH;
const LITERAL: usize = REP_LENGTH + LENGTH;
const PROBABILITIES: usize = LITERAL + 0x300;

const STATES: usize = 12;
/// Two choices, then trees of 8, 8 and 256 lengths.
const LENGTH: usize = 2 + 8 + 8 + 256;
const HALF: u16 = 1 << 10;

/// Unpacks one segment at a time.
#[derive(Debug)]
pub(super) struct Lzma<const DICTIONARY: usize> {
    range: u32,
    code: u32,
    /// What the last symbols were: literals below 7.
    state: usize,
    /// The last four distances, less one; the last first.
    distances: [u32; 4],
    /// Bytes still to be copied from the last distance.
    copying: u32,
    /// Where the next byte goes in the dictionary, and how many are there.
    end: usize,
    filled: usize,
    probabilities: [u16; PROBABILITIES],
    dictionary: [u8; DICTIONARY],
}

impl<const DICTIONARY: usize> Lzma<DICTIONARY> {
    pub(super) const fn new() -> Lzma<DICTIONARY> {
        Lzma {
            range: 0,
            code: 0,
            state: 0,
            distances: [0; 4],
            copying: 0,
            end: 0,
            filled: 0,
            // All zeros, so that one set aside takes no flash; `begin` sets them.
            probabilities: [0; PROBABILITIES],
            dictionary: [0; DICTIONARY],
        }
    }

    /// Forgets everything and reads the five bytes a stream begins with.
    pub(super) fn begin(&mut self, packed: &mut Window) -> Result<(), PatchError> {
        self.state = 0;
        self.distances = [0; 4];
        self.copying = 0;
        self.end = 0;
        self.filled = 0;
        self.probabilities = [HALF; PROBABILITIES];
        self.range = u32::MAX;
        let first = packed.next();
        self.code = 0;
        for _ in 0..4 {
            self.code = self.code << 8 | u32::from(packed.next());
        }
        if first != 0 || packed.is_overrun() { Err(PatchError::Damaged) } else { Ok(()) }
    }

    /// Whether the next byte needs no packed bytes.
    pub(super) fn is_copying(&self) -> bool {
        self.copying > 0
    }

    /// The next byte. Needs a window that is ready, unless copying.
    pub(super) fn next(&mut self, packed: &mut Window) -> Result<u8, PatchError> {
        let byte = if self.copying > 0 {
            self.copying -= 1;
            self.back(self.distances[0])
        } else {
            let byte = self.symbol(packed)?;
            if packed.is_overrun() {
                return Err(PatchError::Damaged);
            }
            byte
        };
        self.dictionary[self.end] = byte;
        self.end = if self.end + 1 == DICTIONARY { 0 } else { self.end + 1 };
        self.filled = DICTIONARY.min(self.filled + 1);
        Ok(byte)
    }

    /// Reads what the encoder wrote to make its last symbol certain.
    pub(super) fn finish(&mut self, packed: &mut Window) {
        self.normalize(packed);
    }

    /// The byte `distance` + 1 back, which must be in the dictionary; zero in an empty one.
    fn back(&self, distance: u32) -> u8 {
        let back = distance as usize + 1;
        let at = if self.end >= back { self.end - back } else { self.end + DICTIONARY - back };
        self.dictionary[at]
    }

    /// Decodes a symbol and gives its first byte; a match leaves the rest to copy.
    fn symbol(&mut self, packed: &mut Window) -> Result<u8, PatchError> {
        if !self.bit(packed, IS_MATCH + self.state) {
            return Ok(self.literal(packed));
        }
        let length = if !self.bit(packed, IS_REP + self.state) {
            let length = self.length(packed, MATCH_LENGTH);
            self.state = if self.state < 7 { 7 } else { 10 };
            let distance = self.distance(packed, length);
            self.remember(3, distance);
            length
        } else {
            self.repeated(packed)
        };
        if self.distances[0] as usize >= self.filled {
            return Err(PatchError::Damaged);
        }
        self.copying = length - 1;
        Ok(self.back(self.distances[0]))
    }

    fn literal(&mut self, packed: &mut Window) -> u8 {
        let mut symbol = 1;
        if self.state >= 7 {
            // Behind a match the byte is unlike the one that would have gone on with it.
            let mut expected = usize::from(self.back(self.distances[0])) << 1;
            while symbol < 0x100 {
                let expected_bit = expected & 0x100;
                expected <<= 1;
                let bit = self.bit(packed, LITERAL + 0x100 + expected_bit + symbol);
                symbol = symbol << 1 | usize::from(bit);
                if bit != (expected_bit != 0) {
                    break;
                }
            }
        }
        while symbol < 0x100 {
            symbol = symbol << 1 | usize::from(self.bit(packed, LITERAL + symbol));
        }
        self.state = match self.state {
            0..=3 => 0,
            4..=9 => self.state - 3,
            _ => self.state - 6,
        };
        symbol as u8
    }

    /// A match at one of the last four distances; its length.
    fn repeated(&mut self, packed: &mut Window) -> u32 {
        let was_literal = self.state < 7;
        if !self.bit(packed, IS_REP_G0 + self.state) {
            if !self.bit(packed, IS_REP0_LONG + self.state) {
                self.state = if was_literal { 9 } else { 11 };
                return 1;
            }
        } else {
            let which = if !self.bit(packed, IS_REP_G1 + self.state) {
                1
            } else if !self.bit(packed, IS_REP_G2 + self.state) {
                2
            } else {
                3
            };
            self.remember(which, self.distances[which]);
        }
        let length = self.length(packed, REP_LENGTH);
        self.state = if was_literal { 8 } else { 11 };
        length
    }

    /// Puts a distance first and forgets the one that stood at `which`.
    fn remember(&mut self, which: usize, distance: u32) {
        self.distances.copy_within(0..which, 1);
        self.distances[0] = distance;
    }

    /// A length of 2 to 273.
    fn length(&mut self, packed: &mut Window, group: usize) -> u32 {
        let length = if !self.bit(packed, group) {
            self.tree(packed, group + 2, 3)
        } else if !self.bit(packed, group + 1) {
            8 + self.tree(packed, group + 10, 3)
        } else {
            16 + self.tree(packed, group + 18, 8)
        };
        length as u32 + 2
    }

    /// A distance, less one.
    fn distance(&mut self, packed: &mut Window, length: u32) -> u32 {
        let kind = (length - 2).min(3) as usize;
        let slot = self.tree(packed, DISTANCE_SLOT + 64 * kind, 6);
        if slot < 4 {
            return slot as u32;
        }
        let low_bits = (slot >> 1) - 1;
        let base = (2 | slot as u32 & 1) << low_bits;
        if slot < 14 {
            return base + self.reverse_tree(packed, DISTANCE + base as usize - slot, low_bits);
        }
        let mut middle = 0;
        for _ in 0..low_bits - 4 {
            middle = middle << 1 | self.even_bit(packed);
        }
        base.wrapping_add(middle << 4).wrapping_add(self.reverse_tree(packed, ALIGN, 4))
    }

    fn tree(&mut self, packed: &mut Window, at: usize, bits: usize) -> usize {
        let mut symbol = 1;
        for _ in 0..bits {
            symbol = symbol << 1 | usize::from(self.bit(packed, at + symbol));
        }
        symbol - (1 << bits)
    }

    fn reverse_tree(&mut self, packed: &mut Window, at: usize, bits: usize) -> u32 {
        let (mut symbol, mut value) = (1, 0);
        for place in 0..bits {
            let bit = self.bit(packed, at + symbol);
            symbol = symbol << 1 | usize::from(bit);
            value |= u32::from(bit) << place;
        }
        value
    }

    /// A bit, by its probability, which learns from it.
    fn bit(&mut self, packed: &mut Window, at: usize) -> bool {
        self.normalize(packed);
        let probability = &mut self.probabilities[at];
        let bound = (self.range >> 11) * u32::from(*probability);
        if self.code < bound {
            self.range = bound;
            *probability += ((1 << 11) - *probability) >> 5;
            false
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> 5;
            true
        }
    }

    /// A bit that is as likely as not.
    fn even_bit(&mut self, packed: &mut Window) -> u32 {
        self.normalize(packed);
        self.range >>= 1;
        let is_one = self.code >= self.range;
        if is_one {
            self.code -= self.range;
        }
        u32::from(is_one)
    }

    fn normalize(&mut self, packed: &mut Window) {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(packed.next());
        }
    }
}
