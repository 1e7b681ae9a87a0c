//! The same differences for devices that have no agent of ours: what ESP-IDF's
//! `esp_delta_ota` applies, unmodified.
//!
//! Its body is detools' sequential patch packed by heatshrink with a window of 8 and
//! a lookahead of 7 bits, the only ones it takes. One stream, so no going on after a cut.

use otaru_wire::Digest;

use crate::matches::{GAINS, Matcher};
use crate::shrink::{LOOKAHEAD_BITS, WINDOW_BITS, shrink, unshrink};
use crate::{MakeError, check_length, records};

/// What an `esp_delta_ota` patch begins with, little-endian.
const MAGIC: u32 = 0xFCCD_DE10;
/// Bytes before detools' part: the magic number, the base's digest, zeros.
const HEADER_BYTES: usize = 64;

/// detools: a sequential patch (0), heatshrink (4).
const DETOOLS_KIND: u8 = 0x04;
/// heatshrink as detools says it: window bits less 4, lookahead bits less 3.
const SHRINK_KIND: u8 = (WINDOW_BITS as u8 - 4) << 4 | (LOOKAHEAD_BITS as u8 - 3);

/// A patch that makes `target` from `base` on a device that runs `esp_delta_ota`.
///
/// `running` is the digest by which ESP-IDF knows the base: the one appended to it.
pub fn make_for_esp_delta_ota(
    base: &[u8],
    running: &Digest,
    target: &[u8],
) -> Result<Vec<u8>, MakeError> {
    check_length(base)?;
    check_length(target)?;
    let mut matcher = Matcher::new(base, target);
    let plans = GAINS.map(|gain| {
        // No special format of data, then the records.
        let mut stream = vec![0];
        stream.extend(records::write_whole(base, target, &matcher.pieces(gain)));
        let packed = shrink(&stream);
        (stream, packed)
    });
    let (stream, packed) =
        plans.into_iter().min_by_key(|(_, packed)| packed.len()).expect("there is a gain to try");
    let unpacked = unshrink(&packed, stream.len());
    if unpacked.and_then(|stream| apply(base, &stream, target.len())).as_deref() != Some(target) {
        return Err(MakeError::Wrong(None));
    }

    let mut patch = MAGIC.to_le_bytes().to_vec();
    patch.extend(running.as_bytes());
    patch.resize(HEADER_BYTES, 0);
    patch.push(DETOOLS_KIND);
    records::number(&mut patch, target.len() as i64);
    patch.push(SHRINK_KIND);
    patch.extend(packed);
    Ok(patch)
}

/// What a detools device makes of a record stream; nothing if it makes no sense.
fn apply(base: &[u8], stream: &[u8], length: usize) -> Option<Vec<u8>> {
    let (&[0], mut rest) = stream.split_first_chunk::<1>()? else { return None };
    let (mut made, mut at) = (Vec::with_capacity(length), 0);
    while made.len() < length {
        let diff = take_counted(&mut rest)?;
        let old = base.get(at..at + diff.len())?;
        made.extend(diff.iter().zip(old).map(|(new, old)| new.wrapping_add(*old)));
        made.extend(take_counted(&mut rest)?);
        let moved = isize::try_from(take_number(&mut rest)?).ok()?;
        at = (at + diff.len()).checked_add_signed(moved)?;
    }
    rest.is_empty().then_some(made)
}

fn take_counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    rest.split_off(..length)
}

fn take_number(rest: &mut &[u8]) -> Option<i64> {
    let first = *rest.split_off_first()?;
    let (mut byte, mut value, mut bits) = (first, i64::from(first & 0x3F), 6);
    while byte & 0x80 != 0 {
        byte = *rest.split_off_first()?;
        value |= i64::from(byte & 0x7F) << bits;
        bits += 7;
    }
    Some(if first & 0x40 != 0 { -value } else { value })
}
