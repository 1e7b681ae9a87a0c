//! Finds where the base has what the target needs.
//!
//! A suffix array answers where the base has the longest run that the target goes
//! on with. Such a run becomes an anchor if the alignment before it would not have
//! given most of it anyway; anchors then grow towards each other for as long as
//! most bytes are alike, because a pointer that moved in code that did not costs
//! little as a difference. This is what bsdiff showed to work on programs.

use std::ops::Range;

/// By how many bytes an anchor must beat the alignment before it: each is tried, and every
/// segment takes the best. 4 is best for Xtensa, 8 to 12 for most others; 2 is always too few.
pub(crate) const GAINS: [usize; 5] = [3, 4, 6, 8, 12];

/// What an equal byte is worth when an anchor grows, to an unequal one's 1: by 2 patches are 0 to
/// 2.5 % smaller than by 1, because small differences pack better than new bytes.
const EQUAL_WORTH: i64 = 2;

/// Longest run asked for: a longer one goes on by itself, and padding would take for ever.
const RUN_BYTES: usize = 1024;

/// A part of the target: differences to the base from there on, or new bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) target: Range<usize>,
    pub(crate) base: Option<usize>,
}

impl Piece {
    /// The part of it within `segment`.
    pub(crate) fn cut(&self, segment: &Range<usize>) -> Piece {
        let start = self.target.start.max(segment.start);
        let end = self.target.end.min(segment.end);
        Piece { target: start..end, base: self.base.map(|at| at + start - self.target.start) }
    }
}

/// Where target and base go on alike.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    target: usize,
    base: usize,
}

impl Anchor {
    /// Where the base has the target's byte `at`, if it goes on like this.
    fn base_of(self, at: usize) -> Option<usize> {
        (self.base + at).checked_sub(self.target)
    }
}

/// So many bytes of the base from there on.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    base: u32,
    length: u32,
}

/// A run that was not asked for yet.
const UNKNOWN: Run = Run { base: 0, length: u32::MAX };

/// Finds runs of one target in one base.
pub(crate) struct Matcher<'a> {
    base: &'a [u8],
    target: &'a [u8],
    suffixes: Vec<i32>,
    /// Where the suffixes with each first two bytes begin: most of a search, done once.
    heads: Vec<u32>,
    /// The longest run at each byte of the target: all plans ask for much the same ones.
    runs: Vec<Run>,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(base: &'a [u8], target: &'a [u8]) -> Matcher<'a> {
        let mut suffixes = vec![0; base.len()];
        divsufsort::sort_in_place(base, &mut suffixes);
        let mut heads = vec![0_u32; (1 << 16) + 1];
        for at in 0..base.len() {
            heads[head_of(&base[at..]) + 1] += 1;
        }
        let mut before = 0;
        for head in &mut heads {
            before += *head;
            *head = before;
        }
        Matcher { base, target, suffixes, heads, runs: vec![UNKNOWN; target.len()] }
    }

    /// The whole target in pieces, in order.
    pub(crate) fn pieces(&mut self, gain: usize) -> Vec<Piece> {
        let target = self.target;
        let mut pieces = Vec::new();
        let mut last = Anchor { target: 0, base: 0 };
        let mut from = 0;
        loop {
            let found = self.next_anchor(from, last, gain);
            let anchor_at = found.as_ref().map_or(target.len(), |(anchor, _)| anchor.target);
            let mut end = last.target + self.grow(last, anchor_at);
            let mut next = target.len();
            if let Some((anchor, _)) = found {
                next = anchor_at - self.grow_back(anchor, last.target);
                if next < end {
                    end = self.best_border(last, anchor, next..end);
                    next = end;
                }
            }
            push(&mut pieces, last.target..end, Some(last.base));
            push(&mut pieces, end..next, None);
            let Some((anchor, length)) = found else { return pieces };
            from = anchor.target + length;
            last = Anchor { target: next, base: anchor.base - (anchor.target - next) };
        }
    }

    /// The next anchor that beats going on with `last` by more than `gain`, and its length.
    fn next_anchor(
        &mut self,
        mut from: usize,
        last: Anchor,
        gain: usize,
    ) -> Option<(Anchor, usize)> {
        // Of the bytes from `from` to `counted`, so many come right by going on with `last`.
        let (mut counted, mut kept) = (from, 0_usize);
        while from < self.target.len() {
            let (base, length) = self.longest_run(from);
            while counted < from + length {
                kept += usize::from(self.is_alike(last, counted));
                counted += 1;
            }
            if length > kept + gain {
                return Some((Anchor { target: from, base }, length));
            }
            if length > 0 && length == kept {
                from += length;
                (counted, kept) = (from, 0);
            } else {
                kept -= usize::from(counted > from && self.is_alike(last, from));
                from += 1;
                counted = counted.max(from);
            }
        }
        None
    }

    fn is_alike(&self, anchor: Anchor, at: usize) -> bool {
        let base = anchor.base_of(at).and_then(|at| self.base.get(at));
        base.is_some() && base == self.target.get(at)
    }

    /// How far to go on with `anchor` before `until`.
    fn grow(&self, anchor: Anchor, until: usize) -> usize {
        let room = (until - anchor.target).min(self.base.len() - anchor.base);
        let old = &self.base[anchor.base..][..room];
        let alike = self.target[anchor.target..].iter().zip(old).map(|(new, old)| new == old);
        best_length(alike)
    }

    /// How far `anchor` reaches back, down to `until`.
    fn grow_back(&self, anchor: Anchor, until: usize) -> usize {
        let room = (anchor.target - until).min(anchor.base);
        let old = &self.base[anchor.base - room..anchor.base];
        let new = &self.target[anchor.target - room..anchor.target];
        best_length(new.iter().zip(old).rev().map(|(new, old)| new == old))
    }

    /// Where in `overlap` to change from one anchor to the other for the most equal bytes.
    fn best_border(&self, before: Anchor, after: Anchor, overlap: Range<usize>) -> usize {
        let (mut border, mut score, mut best) = (overlap.start, 0, 0);
        for at in overlap {
            score += i64::from(self.is_alike(before, at));
            score -= i64::from(self.is_alike(after, at));
            if score > best {
                (border, best) = (at + 1, score);
            }
        }
        border
    }

    /// Where the base has the longest run that the target goes on with at `at`, and its length.
    fn longest_run(&mut self, at: usize) -> (usize, usize) {
        if self.runs[at].length == UNKNOWN.length {
            let end = self.target.len().min(at + RUN_BYTES);
            self.runs[at] = self.search(&self.target[at..end]);
        }
        let Run { base, length } = self.runs[at];
        (base as usize, length as usize)
    }

    /// The longest run that `wanted` begins with, of two bytes or more.
    fn search(&self, wanted: &[u8]) -> Run {
        let head = head_of(wanted);
        let (mut low, mut high) = (self.heads[head] as usize, self.heads[head + 1] as usize);
        // Runs at the borders: whatever lies between has at least the shorter one.
        let (mut low_run, mut high_run) = (0, 0);
        let mut best = Run::default();
        while low < high {
            let middle = low + (high - low) / 2;
            let start = self.suffixes[middle] as usize;
            let suffix = &self.base[start..];
            let known = low_run.min(high_run);
            let run = known + run_length(&suffix[known..], &wanted[known..]);
            if run > best.length as usize {
                best = Run { base: start as u32, length: run as u32 };
            }
            if run == wanted.len() {
                break;
            }
            if suffix.get(run) < wanted.get(run) {
                (low, low_run) = (middle + 1, run);
            } else {
                (high, high_run) = (middle, run);
            }
        }
        best
    }
}

/// The first two bytes as a number; a single one stands before all that begin with it.
fn head_of(bytes: &[u8]) -> usize {
    let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    byte(0) << 8 | byte(1)
}

fn run_length(one: &[u8], other: &[u8]) -> usize {
    let (words, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let same = words.iter().zip(others).take_while(|(one, other)| one == other).count() * 8;
    let rest = one[same..].iter().zip(&other[same..]);
    same + rest.take_while(|(one, other)| one == other).count()
}

/// The length at which the equal bytes are worth the most beside the others.
fn best_length(alike: impl Iterator<Item = bool>) -> usize {
    let (mut length, mut score, mut best) = (0, 0_i64, 0);
    for (index, alike) in alike.enumerate() {
        score += if alike { EQUAL_WORTH } else { -1 };
        if score > best {
            (length, best) = (index + 1, score);
        }
    }
    length
}

fn push(pieces: &mut Vec<Piece>, target: Range<usize>, base: Option<usize>) {
    if !target.is_empty() {
        pieces.push(Piece { target, base });
    }
}
