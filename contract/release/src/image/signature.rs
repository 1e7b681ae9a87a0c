//! What may follow an image in its file: padding and a Secure Boot v2 signature sector.

use otaru_wire::Digest;

use super::ImageError;
use super::bytes::{array_at, u32_at};

/// Signature sectors begin at, and fill, one of these.
const SECTOR_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 1216;
const MAX_BLOCKS: usize = 3;
const BLOCK_MAGIC: u8 = 0xE7;
/// The CRC-32 of a block covers the bytes before it.
const CRC_AT: usize = 1196;

/// Checks everything from `end`, the image's own end, to the end of the file.
///
/// Returns the number of Secure Boot signature blocks. Their signatures are
/// not verified, only that they belong to these bytes.
pub(super) fn check_trailer(bytes: &[u8], end: usize) -> Result<u8, ImageError> {
    let padding = bytes[end..].iter().take_while(|&&byte| byte == 0xFF).count();
    let at = end + padding;
    if at == bytes.len() {
        return Ok(0);
    }
    let trailing =
        |at: usize| ImageError::Trailing { at: at as u64, size_bytes: bytes.len() as u64 };
    let sector = &bytes[at..];
    let is_sector = at.is_multiple_of(SECTOR_BYTES) && sector.len() == SECTOR_BYTES;
    if !is_sector || sector[0] != BLOCK_MAGIC {
        return Err(trailing(at));
    }
    let image_digest = Digest::of(&bytes[..at]);
    let mut blocks = 0;
    for block in sector.chunks_exact(BLOCK_BYTES).take(MAX_BLOCKS) {
        if block[0] != BLOCK_MAGIC {
            break;
        }
        let crc_matches = u32_at(block, CRC_AT) == Some(crc32(&block[..CRC_AT]));
        let digest_matches = array_at::<32>(block, 4) == Some(*image_digest.as_bytes());
        if !crc_matches || !digest_matches {
            return Err(ImageError::SignatureBlock { block: blocks });
        }
        blocks += 1;
    }
    let rest_at = at + usize::from(blocks) * BLOCK_BYTES;
    match bytes[rest_at..].iter().position(|&byte| byte != 0xFF) {
        Some(offset) => Err(trailing(rest_at + offset)),
        None => Ok(blocks),
    }
}

/// CRC-32 as in zlib and `esp_rom_crc32_le(0, …)`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc: u32, &byte| {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
        crc
    })
}
