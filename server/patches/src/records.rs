//! Writes the records of one segment.

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

    let (mut at, mut made, mut records) = (begin, segment.start, Vec::new());
    let mut pieces = cut.iter().peekable();
    while made < segment.end {
        let diff = pieces.next_if(|piece| piece.base.is_some());
        let diff = diff.map_or(made..made, |piece| piece.target.clone());
        number(&mut records, diff.len() as i64);
        let old = &base[at..at + diff.len()];
        records
            .extend(target[diff.clone()].iter().zip(old).map(|(new, old)| new.wrapping_sub(*old)));
        at += diff.len();
        made = diff.end;
        if made == segment.end {
            break;
        }
        let extra = pieces.next_if(|piece| piece.base.is_none());
        let extra = extra.map_or(made..made, |piece| piece.target.clone());
        number(&mut records, extra.len() as i64);
        records.extend(&target[extra.clone()]);
        made = extra.end;
        if made == segment.end {
            break;
        }
        let next = pieces.peek().and_then(|piece| piece.base).unwrap_or(at);
        number(&mut records, next as i64 - at as i64);
        at = next;
    }
    (begin as u32, records)
}

/// A sign and six bits, then seven bits a byte, lowest first.
fn number(records: &mut Vec<u8>, value: i64) {
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
