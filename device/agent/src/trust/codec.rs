//! Bytes of the memory: the layout number, then the floors behind their count, the pending one
//! and the timestamp behind a byte 0 or 1. Numbers are little endian.

use arrayvec::ArrayVec;
use otaru_release::KeyId;
use otaru_wire::Digest;

use super::floors::{Floor, MAX_FLOORS};
use super::{SeenTimestamp, Trust};

const LAYOUT: u8 = 1;

const FLOOR: usize = 8 + 8 + 4;
/// The longest memory, field by field.
pub(super) const BYTES_MAX: usize =
    2 + MAX_FLOORS * FLOOR + 1 + Digest::LENGTH_BYTES + FLOOR + 1 + 8 + 8;

pub(super) fn write(trust: &Trust) -> ArrayVec<u8, BYTES_MAX> {
    let mut bytes = ArrayVec::new();
    let out = &mut |piece: &[u8]| {
        let has_room = bytes.try_extend_from_slice(piece).is_ok();
        debug_assert!(has_room, "{BYTES_MAX} bytes are too few");
    };
    out(&[LAYOUT, trust.floors.len() as u8]);
    for floor in &trust.floors {
        write_floor(out, floor);
    }
    out(&[u8::from(trust.pending.is_some())]);
    if let Some((sha256, floor)) = &trust.pending {
        out(sha256.as_bytes());
        write_floor(out, floor);
    }
    out(&[u8::from(trust.seen.is_some())]);
    if let Some(seen) = &trust.seen {
        out(&seen.key.0);
        out(&seen.signed_at.to_le_bytes());
    }
    bytes
}

fn write_floor(out: &mut dyn FnMut(&[u8]), floor: &Floor) {
    out(&floor.key.0);
    out(&floor.sequence.to_le_bytes());
    out(&floor.security_counter.to_le_bytes());
}

/// `None` for what this build cannot read.
pub(super) fn read(bytes: &[u8]) -> Option<Trust> {
    let mut input = Reader(bytes);
    let [layout, count] = input.take()?;
    if layout != LAYOUT || usize::from(count) > MAX_FLOORS {
        return None;
    }
    let floors = (0..count).map(|_| input.floor()).collect::<Option<_>>()?;
    let pending = match input.flag()? {
        true => Some((Digest(input.take()?), input.floor()?)),
        false => None,
    };
    let seen = match input.flag()? {
        true => {
            let key = KeyId(input.take()?);
            Some(SeenTimestamp { key, signed_at: i64::from_le_bytes(input.take()?) })
        }
        false => None,
    };
    input.0.is_empty().then_some(Trust { floors, pending, seen, is_lost: false })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn floor(&mut self) -> Option<Floor> {
        Some(Floor {
            key: KeyId(self.take()?),
            sequence: u64::from_le_bytes(self.take()?),
            security_counter: u32::from_le_bytes(self.take()?),
        })
    }
}
