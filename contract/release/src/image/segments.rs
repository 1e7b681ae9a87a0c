use otaru_wire::Digest;

use super::bytes::{array_at, u32_at};
use super::{CHECKSUM_SEED, ImageError, ImageHead};

const SEGMENT_HEADER_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// One segment: where it is loaded, and its bytes.
pub(super) struct Segment<'a> {
    pub(super) load_address: u32,
    pub(super) data: &'a [u8],
}

/// Walks the segments of an image that may be damaged.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    next_at: usize,
    index: u8,
    count: u8,
}

impl<'a> Segments<'a> {
    pub(super) fn of(bytes: &'a [u8], count: u8) -> Segments<'a> {
        Segments { bytes, next_at: ImageHead::HEADER_BYTES, index: 0, count }
    }

    fn read_next(&mut self) -> Result<Segment<'a>, ImageError> {
        let (segment, size_bytes) = (self.index, self.bytes.len() as u64);
        let overrun =
            |needed_bytes: u64| ImageError::SegmentOverrun { segment, size_bytes, needed_bytes };
        let data_at = self.next_at + SEGMENT_HEADER_BYTES;
        let header = self.bytes.get(self.next_at..data_at).ok_or(overrun(data_at as u64))?;
        let load_address = u32_at(header, 0).unwrap_or(0);
        let length_bytes = u32_at(header, 4).unwrap_or(0);
        if !length_bytes.is_multiple_of(4) {
            return Err(ImageError::SegmentLength { segment, length_bytes });
        }
        let end = data_at as u64 + u64::from(length_bytes);
        let data = usize::try_from(end)
            .ok()
            .and_then(|end| self.bytes.get(data_at..end))
            .ok_or(overrun(end))?;
        self.next_at = data_at + data.len();
        self.index += 1;
        Ok(Segment { load_address, data })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.index < self.count).then(|| self.read_next())
    }
}

/// The part of a file that the loader reads.
pub(super) struct Body {
    /// Offset of the first byte after checksum and appended hash.
    pub(super) end: usize,
}

impl Body {
    /// Checks segments, checksum and appended hash.
    pub(super) fn check(bytes: &[u8], head: &ImageHead) -> Result<Body, ImageError> {
        let mut segments = Segments::of(bytes, head.segments);
        let mut checksum = CHECKSUM_SEED;
        for segment in segments.by_ref() {
            checksum ^= xor(segment?.data);
        }
        // The checksum is the last byte of the padding to a multiple of 16; there is always one.
        let hashed = (segments.next_at / 16 + 1) * 16;
        let end = hashed + if head.has_appended_hash { HASH_BYTES } else { 0 };
        if end > bytes.len() {
            return Err(ImageError::Truncated {
                size_bytes: bytes.len() as u64,
                needed_bytes: end as u64,
            });
        }
        let stored = bytes[hashed - 1];
        if stored != checksum {
            return Err(ImageError::Checksum { found: stored, expected: checksum });
        }
        if head.has_appended_hash {
            let found = array_at::<HASH_BYTES>(bytes, hashed).map(Digest::from);
            let expected = Digest::of(&bytes[..hashed]);
            match found {
                Some(found) if found != expected => {
                    return Err(ImageError::AppendedHash { found, expected });
                }
                _ => {}
            }
        }
        Ok(Body { end })
    }
}

/// XOR of all bytes; four at a time, since segments are words.
pub(super) fn xor(data: &[u8]) -> u8 {
    let (words, rest) = data.as_chunks::<4>();
    let folded = words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    let folded = folded.to_le_bytes().iter().fold(0, |sum, byte| sum ^ byte);
    rest.iter().fold(folded, |sum, byte| sum ^ byte)
}
