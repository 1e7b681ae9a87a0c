//! ESP-IDF's second-stage bootloader: where it goes, and the one thing in it that a board decides.

use anyhow::{Context as _, Result, ensure};
use otaru_release::Chip;
use otaru_wire::Digest;

const MAGIC: u8 = 0xE9;
const HEADER_BYTES: usize = 24;
const SEGMENT_HEADER_BYTES: usize = 8;
/// The high half of this byte says how long the flash is: 1 MiB, shifted by it.
const FLASH_SIZE_AT: usize = 3;
/// 32 MiB: firmware reads the same byte, and knows no longer one.
const FLASH_SIZE_MAX: u32 = 5;
const CHIP_AT: usize = 12;
const HAS_HASH_AT: usize = 23;

/// Where the chip's ROM looks for it.
pub(super) fn offset(chip: Chip) -> u32 {
    match chip.name() {
        "esp32" | "esp32s2" => 0x1000,
        "esp32p4" | "esp32c5" => 0x2000,
        _ => 0,
    }
}

/// The bootloader for a flash of this length: it starts nothing that is behind what it thinks is the
/// end. Tools that write flash change the same byte, and the digest behind the image.
pub(super) fn for_flash(bytes: &[u8], chip: Chip, flash_bytes: u32) -> Result<Vec<u8>> {
    ensure!(
        bytes.len() > HEADER_BYTES && bytes[0] == MAGIC,
        "no bootloader of ESP-IDF begins like this"
    );
    let found = u16::from_le_bytes([bytes[CHIP_AT], bytes[CHIP_AT + 1]]);
    ensure!(found == chip.id(), "it is for chip {found}, and {} is {}", chip.name(), chip.id());
    let size = flash_bytes.checked_ilog2().and_then(|log| log.checked_sub(20));
    let size = size.filter(|size| 1 << (20 + size) == flash_bytes && *size <= FLASH_SIZE_MAX);
    let size = size
        .with_context(|| format!("flash has 1, 2, 4, 8, 16 or 32 MiB, not {flash_bytes} bytes"))?
        as u8;
    let end = end(bytes)?;
    let mut bytes = bytes.to_vec();
    bytes[FLASH_SIZE_AT] = bytes[FLASH_SIZE_AT] & 0x0F | size << 4;
    if bytes[HAS_HASH_AT] == 1 {
        let Digest(digest) = Digest::of(&bytes[..end]);
        let place = bytes.get_mut(end..end + digest.len());
        place.context("it ends before its digest")?.copy_from_slice(&digest);
    }
    Ok(bytes)
}

/// Where the digest begins.
fn end(bytes: &[u8]) -> Result<usize> {
    let mut at = HEADER_BYTES;
    for _ in 0..bytes[1] {
        let length =
            bytes.get(at + 4..at + SEGMENT_HEADER_BYTES).context("it ends within itself")?;
        let length = u32::from_le_bytes(length.try_into().expect("four bytes were asked for"));
        at = at.saturating_add(SEGMENT_HEADER_BYTES).saturating_add(length as usize);
    }
    // The checksum is the last byte of the padding.
    let end = at.saturating_add(1).next_multiple_of(16);
    ensure!(end <= bytes.len(), "it ends within itself");
    Ok(end)
}
