//! Finds where the base has what the target needs.
//!
//! A suffix array answers where the base has the longest run that the target goes
//! on with. Such a run becomes an anchor if the alignment before it would not have
//! given most of it anyway; anchors then grow towards each other for as long as
//! most bytes are alike, because a pointer that moved in code that did not costs
//! little as a difference. This is what bsdiff showed to work on programs.

use std::ops::Range;

/// By how many bytes an anchor must beat the alignment before it: each is tried.
pub(crate) const GAINS: [usize; 3] = [8, 16, 32];

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

/// Finds runs in one base.
pub(crate) struct Matcher<'a> {
    base: &'a [u8],
    suffixes: Vec<i32>,
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(base: &'a [u8]) -> Matcher<'a> {
        let mut suffixes = vec![0; base.len()];
        divsufsort::sort_in_place(base, &mut suffixes);
        Matcher { base, suffixes }
    }

    /// The whole target in pieces, in order.
    pub(crate) fn pieces(&self, target: &[u8], gain: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut last = Anchor { target: 0, base: 0 };
        let mut from = 0;
        loop {
            let found = self.next_anchor(target, from, last, gain);
            let anchor_at = found.as_ref().map_or(target.len(), |(anchor, _)| anchor.target);
            let mut end = last.target + self.grow(target, last, anchor_at);
            let mut next = target.len();
            if let Some((anchor, _)) = found {
                next = anchor_at - self.grow_back(target, anchor, last.target);
                if next < end {
                    end = self.best_border(target, last, anchor, next..end);
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
        &self,
        target: &[u8],
        mut from: usize,
        last: Anchor,
        gain: usize,
    ) -> Option<(Anchor, usize)> {
        // Of the bytes from `from` to `counted`, so many come right by going on with `last`.
        let (mut counted, mut kept) = (from, 0_usize);
        while from < target.len() {
            let (base, length) = self.longest_run(&target[from..]);
            while counted < from + length {
                kept += usize::from(self.is_alike(target, last, counted));
                counted += 1;
            }
            if length > kept + gain {
                return Some((Anchor { target: from, base }, length));
            }
            if length > 0 && length == kept {
                from += length;
                (counted, kept) = (from, 0);
            } else {
                kept -= usize::from(counted > from && self.is_alike(target, last, from));
                from += 1;
                counted = counted.max(from);
            }
        }
        None
    }

    fn is_alike(&self, target: &[u8], anchor: Anchor, at: usize) -> bool {
        let base = anchor.base_of(at).and_then(|at| self.base.get(at));
        base.is_some() && base == target.get(at)
    }

    /// How far to go on with `anchor` before `until`: to where the most bytes more than half are alike.
    fn grow(&self, target: &[u8], anchor: Anchor, until: usize) -> usize {
        let room = (until - anchor.target).min(self.base.len() - anchor.base);
        let old = &self.base[anchor.base..][..room];
        let alike = target[anchor.target..].iter().zip(old).map(|(new, old)| new == old);
        best_length(alike)
    }

    /// How far `anchor` reaches back, down to `until`.
    fn grow_back(&self, target: &[u8], anchor: Anchor, until: usize) -> usize {
        let room = (anchor.target - until).min(anchor.base);
        let old = &self.base[anchor.base - room..anchor.base];
        let new = &target[anchor.target - room..anchor.target];
        best_length(new.iter().zip(old).rev().map(|(new, old)| new == old))
    }

    /// Where in `overlap` to change from one anchor to the other for the most equal bytes.
    fn best_border(
        &self,
        target: &[u8],
        before: Anchor,
        after: Anchor,
        overlap: Range<usize>,
    ) -> usize {
        let (mut border, mut score, mut best) = (overlap.start, 0, 0);
        for at in overlap {
            score += i64::from(self.is_alike(target, before, at));
            score -= i64::from(self.is_alike(target, after, at));
            if score > best {
                (border, best) = (at + 1, score);
            }
        }
        border
    }

    /// Where the base has the longest run that `wanted` begins with, and its length.
    fn longest_run(&self, wanted: &[u8]) -> (usize, usize) {
        let wanted = &wanted[..wanted.len().min(RUN_BYTES)];
        let (mut low, mut high) = (0, self.suffixes.len());
        // Runs at the borders: whatever lies between has at least the shorter one.
        let (mut low_run, mut high_run) = (0, 0);
        let mut best = (0, 0);
        while low < high {
            let middle = low + (high - low) / 2;
            let start = self.suffixes[middle] as usize;
            let suffix = &self.base[start..];
            let known = low_run.min(high_run);
            let run = known + run_length(&suffix[known..], &wanted[known..]);
            if run > best.1 {
                best = (start, run);
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

fn run_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The length at which twice the equal bytes less all bytes is greatest.
fn best_length(alike: impl Iterator<Item = bool>) -> usize {
    let (mut length, mut score, mut best) = (0, 0_i64, 0);
    for (index, alike) in alike.enumerate() {
        score += if alike { 1 } else { -1 };
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
