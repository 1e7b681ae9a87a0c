//! Bytes of the memory: the layout number, then the floors behind their count, the pending one
//! and the timestamp.

use arrayvec::ArrayVec;
use otaru_release::KeyId;
use otaru_wire::Digest;

use super::floors::{Floor, MAX_FLOORS};
use super::{SeenTimestamp, Trust};
use crate::bytes::{Reader, Writer};

const LAYOUT: u8 = 1;

const FLOOR: usize = 8 + 8 + 4;
/// The longest memory, field by field.
pub(super) const BYTES_MAX: usize =
    2 + MAX_FLOORS * FLOOR + 1 + Digest::LENGTH_BYTES + FLOOR + 1 + 8 + 8;

pub(super) fn write(trust: &Trust) -> ArrayVec<u8, BYTES_MAX> {
    let mut bytes = ArrayVec::from([0; BYTES_MAX]);
    let mut out = Writer::new(&mut bytes);
    out.byte(LAYOUT);
    out.byte(trust.floors.len() as u8);
    for floor in &trust.floors {
        out.floor(floor);
    }
    out.option(trust.pending.as_ref(), |out, (sha256, floor)| {
        out.digest(sha256);
        out.floor(floor);
    });
    out.option(trust.seen.as_ref(), |out, seen| {
        out.bytes(&seen.key.0);
        out.u64(seen.signed_at.cast_unsigned());
    });
    let length = out.length();
    bytes.truncate(length);
    bytes
}

/// `None` for what this build cannot read.
pub(super) fn read(bytes: &[u8]) -> Option<Trust> {
    let mut input = Reader::new(bytes);
    let (layout, count) = (input.byte()?, input.byte()?);
    if layout != LAYOUT || usize::from(count) > MAX_FLOORS {
        return None;
    }
    let mut trust = Trust::default();
    for _ in 0..count {
        trust.floors.try_push(input.floor()?).ok()?;
    }
    trust.pending = input.option(|input| Some((input.digest()?, input.floor()?)))?;
    trust.seen = input.option(|input| {
        let key = KeyId(input.array()?);
        Some(SeenTimestamp { key, signed_at: input.u64()?.cast_signed() })
    })?;
    input.is_at_end().then_some(trust)
}

impl Writer<'_> {
    #[inline(never)]
    fn floor(&mut self, floor: &Floor) {
        self.bytes(&floor.key.0);
        self.u64(floor.sequence);
        self.u32(floor.security_counter);
    }
}

impl Reader<'_> {
    #[inline(never)]
    fn floor(&mut self) -> Option<Floor> {
        let key = KeyId(self.array()?);
        Some(Floor { key, sequence: self.u64()?, security_counter: self.u32()? })
    }
}
