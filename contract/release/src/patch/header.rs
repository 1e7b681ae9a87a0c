//! The first bytes of a patch: what it makes, from what, and how it is packed.

use otaru_wire::Digest;

use super::{MAX_IMAGE_BYTES, PatchError, SEGMENT_BYTES};

/// Bytes of the header, before the table.
pub const HEADER_BYTES: usize = 80;

const MAGIC: &[u8; 4] = b"OTRP";
const FORMAT: u8 = 1;

/// How the records of a segment are packed: raw LZMA1 with lc = lp = pb = 0, without an end marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// A dictionary of 4 KiB.
    Lzma4K = 1,
    /// A dictionary of 8 KiB.
    Lzma8K = 2,
}

impl Codec {
    /// Bytes of the dictionary that the unpacking side needs.
    pub const fn dictionary_bytes(self) -> usize {
        match self {
            Codec::Lzma4K => 4096,
            Codec::Lzma8K => 8192,
        }
    }
}

/// What a patch says of itself. Proves nothing: lengths and digests are only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchHeader {
    /// How it is packed.
    pub codec: Codec,
    /// Bytes of the image it makes.
    pub target_bytes: u32,
    /// Bytes of the image it starts from; 0 if it is a whole image, packed.
    pub base_bytes: u32,
    /// The image it makes.
    pub target: Digest,
    /// The image it starts from; zeros if it is a whole image, packed.
    pub base: Digest,
}

impl PatchHeader {
    /// Reads a header.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<PatchHeader, PatchError> {
        if bytes[..4] != *MAGIC {
            return Err(PatchError::NotAPatch);
        }
        if bytes[4] != FORMAT || bytes[6..8] != [0, 0] {
            return Err(PatchError::Format);
        }
        let codec = match bytes[5] {
            1 => Codec::Lzma4K,
            2 => Codec::Lzma8K,
            _ => return Err(PatchError::Codec),
        };
        let header = PatchHeader {
            codec,
            target_bytes: number(bytes, 8),
            base_bytes: number(bytes, 12),
            target: digest(bytes, 16),
            base: digest(bytes, 48),
        };
        let has_lengths = (1..=MAX_IMAGE_BYTES).contains(&header.target_bytes)
            && header.base_bytes <= MAX_IMAGE_BYTES;
        if has_lengths { Ok(header) } else { Err(PatchError::Length) }
    }

    /// The header as it stands in a patch.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = FORMAT;
        bytes[5] = self.codec as u8;
        bytes[8..12].copy_from_slice(&self.target_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.base_bytes.to_le_bytes());
        bytes[16..48].copy_from_slice(self.target.as_bytes());
        bytes[48..].copy_from_slice(self.base.as_bytes());
        bytes
    }

    /// Whether it makes `target` from `base`, each an image's digest and length.
    ///
    /// A packed whole image starts from nothing and so from any base.
    pub fn check(&self, target: (&Digest, u32), base: (&Digest, u32)) -> Result<(), PatchError> {
        if target != (&self.target, self.target_bytes) {
            return Err(PatchError::OtherTarget);
        }
        if self.base_bytes > 0 && base != (&self.base, self.base_bytes) {
            return Err(PatchError::OtherBase);
        }
        Ok(())
    }

    /// How many segments it has.
    pub fn segments(&self) -> u32 {
        self.target_bytes.div_ceil(SEGMENT_BYTES)
    }

    /// Bytes of the target that segment `number` makes, zero behind the last.
    pub fn segment_bytes(&self, number: u32) -> u32 {
        let start = number.saturating_mul(SEGMENT_BYTES);
        self.target_bytes.saturating_sub(start).min(SEGMENT_BYTES)
    }

    /// Where the first segment begins, from the start of the patch: behind the table.
    pub fn body_offset(&self) -> u32 {
        HEADER_BYTES as u32 + 4 * self.segments()
    }
}

fn number(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn digest(bytes: &[u8; HEADER_BYTES], at: usize) -> Digest {
    let mut digest = [0; Digest::LENGTH_BYTES];
    digest.copy_from_slice(&bytes[at..at + Digest::LENGTH_BYTES]);
    Digest(digest)
}
