//! Deterministic damage: the same seed gives the same inputs on every machine.

/// A source of reproducible randomness (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }
}

/// The longest input made, in bytes.
const INPUT_BYTES_MAX: usize = 192 * 1024;

/// Numbers at which parsers go wrong.
const EDGES: [u64; 9] =
    [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF];

/// An input like those of the corpus but for one to four kinds of damage.
pub fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        damage(&mut bytes, corpus, random);
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.bits() as u8);
    }
    let at = random.below(bytes.len());
    let span = at..(at + 1 + random.below(16)).min(bytes.len());
    match random.below(10) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.bits() as u8,
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(span)),
        5 => {
            let again = bytes[span].to_vec();
            bytes.splice(at..at, again);
        }
        6 => {
            let inserted: Vec<u8> = (0..1 + random.below(8)).map(|_| random.bits() as u8).collect();
            bytes.splice(at..at, inserted);
        }
        7 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len().max(1)).min(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        8 => overwrite_number(bytes, at, random),
        // Nesting: one byte many times over.
        _ => {
            let again = vec![bytes[at]; 1 << random.below(14)];
            bytes.splice(at..at, again);
        }
    }
}

fn overwrite_number(bytes: &mut [u8], at: usize, random: &mut Random) {
    let number = EDGES[random.below(EDGES.len())].wrapping_sub(random.below(2) as u64);
    let width = 1 << random.below(4);
    let number = match random.below(2) {
        0 => number.to_le_bytes()[..width].to_vec(),
        _ => number.to_be_bytes()[8 - width..].to_vec(),
    };
    for (byte, new) in bytes[at..].iter_mut().zip(number) {
        *byte = new;
    }
}
