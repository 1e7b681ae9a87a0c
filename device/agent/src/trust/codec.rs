//! Bytes of the memory: the layout number, then the floors behind their count, the pending one
//! and the timestamp behind a byte 0 or 1. Numbers are little endian.

use alloc::vec::Vec;

use otaru_release::KeyId;
use otaru_wire::Digest;

use super::floors::{Floor, MAX_FLOORS};
use super::{SeenTimestamp, Trust};

const LAYOUT: u8 = 1;

pub(super) fn write(trust: &Trust) -> Vec<u8> {
    let mut out = Vec::from([LAYOUT, trust.floors.len() as u8]);
    for floor in &trust.floors {
        write_floor(&mut out, floor);
    }
    out.push(u8::from(trust.pending.is_some()));
    if let Some((sha256, floor)) = &trust.pending {
        out.extend_from_slice(sha256.as_bytes());
        write_floor(&mut out, floor);
    }
    out.push(u8::from(trust.seen.is_some()));
    if let Some(seen) = &trust.seen {
        out.extend_from_slice(&seen.key.0);
        out.extend_from_slice(&seen.signed_at.to_le_bytes());
    }
    out
}

fn write_floor(out: &mut Vec<u8>, floor: &Floor) {
    out.extend_from_slice(&floor.key.0);
    out.extend_from_slice(&floor.sequence.to_le_bytes());
    out.extend_from_slice(&floor.security_counter.to_le_bytes());
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
