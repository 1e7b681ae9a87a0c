//! Writes records: of one segment, or of the whole target.

use std::ops::Range;

use crate::matches::Piece;

/// The record stream that makes `segment` of the target, and where in the base it begins.
///
/// Pieces cover the whole target in order; those that reach past the segment are cut.
pub(crate) fn write(
    base: &[u8],
    target: &[u8],
    pieces: &[Piece],
    segment: Range<usize>,
) -> (u32, Vec<u8>) {
    let first = pieces.partition_point(|piece| piece.target.end <= segment.start);
    let cut: Vec<_> = pieces[first..]
        .iter()
        .take_while(|piece| piece.target.start < segment.end)
        .map(|piece| piece.cut(&segment))
        .collect();
    let begin = cut.iter().find_map(|piece| piece.base).unwrap_or_default();
    let mut records = Vec::new();
    stream(&mut records, base, target, &cut, begin);
    (begin as u32, records)
}

/// The record stream of the whole target as detools has it: from the base's start, each record whole.
pub(crate) fn write_whole(base: &[u8], target: &[u8], pieces: &[Piece]) -> Vec<u8> {
    let mut records = Vec::new();
    let begin = pieces.first().and_then(|piece| piece.base).unwrap_or_default();
    if begin > 0 {
        records.extend([0, 0]);
        number(&mut records, begin as i64);
    }
    let last = stream(&mut records, base, target, pieces, begin);
    // An extra of no bytes where there was none, and no move.
    records.extend(if last == Last::Diff { &[0, 0][..] } else { &[0] });
    records
}

/// What a stream ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Diff,
    Extra,
}

/// Writes the records of the pieces, which begin at `at` in the base, up to their last byte.
fn stream(
    records: &mut Vec<u8>,
    base: &[u8],
    target: &[u8],
    pieces: &[Piece],
    mut at: usize,
) -> Last {
    let mut pieces = pieces.iter().peekable();
    loop {
        let diff = pieces.next_if(|piece| piece.base.is_some());
        let diff = diff.map_or(0..0, |piece| piece.target.clone());
        number(records, diff.len() as i64);
        let old = &base[at..at + diff.len()];
        at += diff.len();
        records.extend(target[diff].iter().zip(old).map(|(new, old)| new.wrapping_sub(*old)));
        if pieces.peek().is_none() {
            return Last::Diff;
        }
        let extra = pieces.next_if(|piece| piece.base.is_none());
        let extra = extra.map_or(0..0, |piece| piece.target.clone());
        number(records, extra.len() as i64);
        records.extend(&target[extra]);
        let Some(next) = pieces.peek() else { return Last::Extra };
        let next = next.base.unwrap_or(at);
        number(records, next as i64 - at as i64);
        at = next;
    }
}

/// A sign and six bits, then seven bits a byte, lowest first.
pub(crate) fn number(records: &mut Vec<u8>, value: i64) {
    let sign = if value < 0 { 0x40 } else { 0 };
    let mut left = value.unsigned_abs();
    let mut byte = (left & 0x3F) as u8 | sign;
    left >>= 6;
    while left > 0 {
        records.push(byte | 0x80);
        byte = (left & 0x7F) as u8;
        left >>= 7;
    }
    records.push(byte);
}
