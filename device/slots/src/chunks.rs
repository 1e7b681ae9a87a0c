//! The signed manifest's digest of every 64 KiB of the image.

use core::ops::Range;

use crate::SlotError;

/// Chunk length in bytes; the last chunk of an image may be shorter.
pub const CHUNK_BYTES: u32 = 64 * 1024;

/// Length of one SHA-256 digest in bytes.
const DIGEST_BYTES: usize = 32;

/// One SHA-256 per 64 KiB of an image, as a flat list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkList<'a> {
    image_bytes: u32,
    digests: &'a [u8],
}

impl<'a> ChunkList<'a> {
    /// Takes the manifest's flat list; `&[[u8; 32]]` becomes one with `as_flattened`.
    ///
    /// Errors: [`SlotError::ChunkList`] unless it has exactly one digest per chunk.
    pub fn new(image_bytes: u32, digests: &'a [u8]) -> Result<ChunkList<'a>, SlotError> {
        let expected = image_bytes.div_ceil(CHUNK_BYTES) * DIGEST_BYTES as u32;
        if digests.len() == expected as usize {
            Ok(ChunkList { image_bytes, digests })
        } else {
            let found = u32::try_from(digests.len()).unwrap_or(u32::MAX);
            Err(SlotError::ChunkList { found, expected })
        }
    }

    /// Image length in bytes.
    pub fn image_bytes(&self) -> u32 {
        self.image_bytes
    }

    /// How many chunks the image has.
    pub fn count(&self) -> u32 {
        self.image_bytes.div_ceil(CHUNK_BYTES)
    }

    /// The bytes of the image that chunk `number` covers.
    pub fn range(&self, number: u32) -> Option<Range<u32>> {
        let start = number.checked_mul(CHUNK_BYTES).filter(|&start| start < self.image_bytes)?;
        Some(start..start.saturating_add(CHUNK_BYTES).min(self.image_bytes))
    }

    /// The SHA-256 chunk `number` must have.
    pub fn digest(&self, number: u32) -> Option<[u8; 32]> {
        let start = (number as usize).checked_mul(DIGEST_BYTES)?;
        self.digests.get(start..)?.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_chunk_is_shorter() {
        let digests = [[7; 32], [8; 32]];
        let chunks = ChunkList::new(CHUNK_BYTES + 5, digests.as_flattened()).unwrap();
        assert_eq!(chunks.count(), 2);
        assert_eq!(chunks.range(1), Some(CHUNK_BYTES..CHUNK_BYTES + 5));
        assert_eq!(chunks.digest(1), Some([8; 32]));
        assert_eq!(chunks.range(2), None);
        assert_eq!(chunks.digest(2), None);
    }

    #[test]
    fn list_of_wrong_length_is_refused() {
        assert_eq!(
            ChunkList::new(CHUNK_BYTES + 1, &[0; 32]),
            Err(SlotError::ChunkList { found: 32, expected: 64 })
        );
    }

    #[test]
    fn longest_image_does_not_overflow() {
        assert!(ChunkList::new(u32::MAX, &[]).is_err());
    }
}
