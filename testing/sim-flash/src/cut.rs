//! When power goes, and what is left of the operation it hits.

use crate::Random;

/// Power goes at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which one, counted from 0 since the cut was set. Every write is an
    /// operation, and every sector of an erase.
    pub at_operation: u64,
    /// What is left of it.
    pub kind: CutKind,
}

/// What a cut operation leaves. "Changed" bits are those it would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// Nothing happened yet.
    Before,
    /// It completed.
    After,
    /// The first bytes are done, the rest untouched.
    Prefix {
        /// How many, at most the operation's length.
        bytes: usize,
    },
    /// The last bytes are done, the rest untouched.
    Suffix {
        /// How many, at most the operation's length.
        bytes: usize,
    },
    /// Each changed bit is done or not, at random.
    Bits {
        /// Of the random sequence.
        seed: u64,
    },
    /// The changed bits under the mask are done, in every 32-bit word alike.
    Mask {
        /// Little-endian over four bytes.
        word: u32,
    },
    /// It looks complete, but some changed cells hold so little charge that
    /// they read differently after each power-on, until they are erased.
    Weak {
        /// Of the random sequence.
        seed: u64,
    },
    /// It looks complete, but one changed cell reads differently after each power-on.
    Faint {
        /// Of the random sequence.
        seed: u64,
    },
    /// All of it reads as done after one power-on, and as never begun after another.
    Wavering {
        /// Of the random sequence.
        seed: u64,
    },
    /// It completes, and one bit elsewhere in its sector turns over.
    Disturb {
        /// Of the random sequence.
        seed: u64,
    },
}

impl CutKind {
    /// Which of the changed bits of each byte are done.
    pub(crate) fn done_bits(self, length: usize) -> Vec<u8> {
        match self {
            CutKind::Before => vec![0; length],
            CutKind::After
            | CutKind::Weak { .. }
            | CutKind::Faint { .. }
            | CutKind::Wavering { .. }
            | CutKind::Disturb { .. } => vec![0xFF; length],
            CutKind::Prefix { bytes } => {
                (0..length).map(|index| if index < bytes { 0xFF } else { 0 }).collect()
            }
            CutKind::Suffix { bytes } => {
                let from = length.saturating_sub(bytes);
                (0..length).map(|index| if index >= from { 0xFF } else { 0 }).collect()
            }
            CutKind::Bits { seed } => Random::new(seed).bytes(length),
            CutKind::Mask { word } => word.to_le_bytes().into_iter().cycle().take(length).collect(),
        }
    }
}
