//! A small device: layout, images, and every way power can go.

use otaru_sim_flash::{CutKind, Random, SimFlash};
use otaru_slots::boot::images_for;
use otaru_slots::{Booted, Layout, Region, Slot, boot};
use sha2::{Digest, Sha256};

/// The chip id in the images of [`image`].
pub(crate) const CHIP_ID: u16 = 5;
/// Slot length of [`small_layout`] in bytes.
pub(crate) const SLOT_BYTES: u32 = 0x3000;

/// Slots of 12 KiB and four sectors of records, so that a life is short.
pub(crate) fn small_layout() -> Layout {
    Layout {
        flash_bytes: 0x2_8000,
        otadata: Region::new(0xD000, 0x2000),
        slots: [Region::new(0x1_0000, SLOT_BYTES), Region::new(0x2_0000, SLOT_BYTES)],
        otaru: Region::new(0x2_4000, 0x4000),
        factory: None,
    }
}

pub(crate) fn blank<const UNIT: usize>(layout: &Layout) -> SimFlash<UNIT> {
    SimFlash::new(layout.flash_bytes as usize)
}

/// An image of two segments that the bootloader starts, `size_bytes` long.
pub(crate) fn image(size_bytes: usize, seed: u64) -> Vec<u8> {
    assert!(size_bytes.is_multiple_of(16) && size_bytes >= 128, "no image has this length");
    let mut bytes = vec![0xE9, 2, 2, 0x20];
    bytes.extend(0x4038_0000_u32.to_le_bytes());
    bytes.extend([0xEE, 0, 0, 0, CHIP_ID as u8, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 1]);

    let mut random = Random::new(seed);
    // Headers, the first segment, the padding with the checksum, the digest.
    let data_bytes = size_bytes - 24 - 2 * 8 - 16 - 8 - 32;
    let mut checksum = 0xEF;
    for segment_bytes in [16, data_bytes] {
        bytes.extend(0x3C00_0000_u32.to_le_bytes());
        bytes.extend((segment_bytes as u32).to_le_bytes());
        let data = random.bytes(segment_bytes);
        checksum = data.iter().fold(checksum, |sum, byte| sum ^ byte);
        bytes.extend(data);
    }
    let end = (bytes.len() + 1).next_multiple_of(16);
    bytes.resize(end - 1, 0);
    bytes.push(checksum);
    bytes.extend(Sha256::digest(&bytes));
    assert_eq!(bytes.len(), size_bytes);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Restarts with the simulated bootloader; the slot that runs.
pub(crate) fn restart<const UNIT: usize>(
    flash: &mut SimFlash<UNIT>,
    layout: &Layout,
) -> Result<Slot, otaru_slots::BootError> {
    match boot(flash, layout, images_for(Some(CHIP_ID)))? {
        Booted::Slot(slot) => Ok(slot),
        Booted::Factory => panic!("the small layout has no factory partition"),
    }
}

/// Whether the whole sweep is wanted.
#[expect(clippy::disallowed_methods, reason = "cargo test has no arguments for this")]
pub(crate) fn is_full_sweep() -> bool {
    std::env::var("OTARU_SWEEP").is_ok_and(|value| value == "full")
}

/// The ways power can go at one operation.
pub(crate) fn cut_kinds(operation: u64) -> Vec<CutKind> {
    let mut kinds = vec![CutKind::Before, CutKind::After];
    if !is_full_sweep() {
        let mut random = Random::new(operation);
        let torn = [
            CutKind::Prefix { bytes: random.below(32) as usize },
            CutKind::Bits { seed: random.next_u64() },
            CutKind::Prefix { bytes: random.below(4096) as usize },
            CutKind::Mask { word: !(1 << random.below(32)) },
            CutKind::Suffix { bytes: random.below(4096) as usize },
            CutKind::Weak { seed: random.next_u64() },
            CutKind::Faint { seed: random.next_u64() },
            CutKind::Wavering { seed: random.next_u64() },
        ];
        let first = operation as usize % 4 * 2;
        kinds.extend(&torn[first..first + 2]);
        return kinds;
    }
    kinds.extend((0..32).map(|bytes| CutKind::Prefix { bytes }));
    kinds.extend((1..32).map(|part| CutKind::Prefix { bytes: part * 128 }));
    kinds.extend((0..32).map(|bytes| CutKind::Suffix { bytes }));
    kinds.extend((1..32).map(|part| CutKind::Suffix { bytes: part * 128 }));
    kinds.extend((0..40).map(|seed| CutKind::Bits { seed }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
    kinds.extend((0..20).map(|seed| CutKind::Weak { seed }));
    kinds.extend((0..8).map(|seed| CutKind::Faint { seed }));
    kinds.extend((0..8).map(|seed| CutKind::Wavering { seed }));
    kinds
}
