//! The ways power can go at one operation.

use otaru_sim_flash::{CutKind, Operation, Random};
use otaru_slots::{Layout, Region};

use crate::Supply;

/// Bytes of an entry, and of the head of a sector of records.
pub(super) const HEAD_BYTES: usize = 32;
/// Bytes of an entry and its marks, for a bootloader of ours.
pub(super) const MARKED_BYTES: usize = 352;

/// Whether an operation is on the selector or the records.
pub(crate) fn is_metadata(operation: &Operation, layout: &Layout) -> bool {
    is_in(layout.otadata, operation) || is_in(layout.otaru, operation)
}

/// Whether an operation is in a part of the chip.
pub(super) fn is_in(region: Region, operation: &Operation) -> bool {
    (region.offset..region.end()).contains(&operation.offset)
}

/// How power can go at one operation: of long writes to a slot a sample of the torn ones.
pub(crate) fn kinds(operation: &Operation, number: u64, is_metadata: bool) -> Vec<CutKind> {
    let mut random = Random::new(number);
    let length = operation.length as usize;
    let mut kinds = vec![CutKind::Before, CutKind::After];
    if operation.is_erase {
        kinds.extend([16, 32, 512, 2048, 4095].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([16, 32, 512, 2048, 4095].map(|bytes| CutKind::Suffix { bytes }));
        if is_metadata {
            kinds.extend((1..HEAD_BYTES).map(|bytes| CutKind::Prefix { bytes }));
            let kept = (4..=HEAD_BYTES).step_by(4);
            kinds.extend(kept.map(|kept| CutKind::Suffix { bytes: length - kept }));
            kinds.extend(masks());
        }
    } else if is_metadata || length <= 64 {
        kinds.extend((1..length).map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend((4..length).step_by(4).map(|bytes| CutKind::Suffix { bytes }));
        kinds.extend(masks());
    } else {
        let mut at = || random.below(length as u64) as usize;
        kinds.extend([1, 3, 4, 8, 31, 32, 33].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([at(), at(), at(), at()].map(|bytes| CutKind::Prefix { bytes }));
        kinds.extend([at(), at(), at(), at()].map(|bytes| CutKind::Suffix { bytes }));
        kinds.extend([0xFF, 0xFF00, 0xF0F0_F0F0, 1, !1].map(|word| CutKind::Mask { word }));
    }
    for _ in 0..6 {
        kinds.push(CutKind::Bits { seed: random.next_u64() });
        kinds.push(CutKind::Weak { seed: random.next_u64() });
        kinds.push(CutKind::Faint { seed: random.next_u64() });
        kinds.push(CutKind::Disturb { seed: random.next_u64() });
    }
    kinds.extend([(); 3].map(|()| CutKind::Wavering { seed: random.next_u64() }));
    kinds
}

/// How an erase of an entry can end among its marks.
pub(super) fn kinds_among_marks() -> impl Iterator<Item = CutKind> {
    let ends = (2 * HEAD_BYTES..MARKED_BYTES).step_by(HEAD_BYTES);
    ends.flat_map(|at| [CutKind::Prefix { bytes: at }, CutKind::Suffix { bytes: 4096 - at }])
}

/// One bit of each word alone, and all but one.
fn masks() -> impl Iterator<Item = CutKind> {
    let alone = (0..32).map(|bit| CutKind::Mask { word: 1 << bit });
    alone.chain((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }))
}

/// One way out of all that leave a metadata operation neither undone nor done, or a dip: each
/// sort as often as any other.
pub(super) fn drawn(operation: &Operation, seed: u64) -> (CutKind, Supply) {
    let mut random = Random::new(seed);
    let all = kinds(operation, seed, true);
    let sort = random.below(9);
    let of_sort = |kind: &&CutKind| {
        sort == match kind {
            CutKind::Before | CutKind::After => return false,
            CutKind::Prefix { .. } => 0,
            CutKind::Suffix { .. } => 1,
            CutKind::Mask { .. } => 2,
            CutKind::Bits { .. } => 3,
            CutKind::Weak { .. } => 4,
            CutKind::Faint { .. } => 5,
            CutKind::Disturb { .. } => 6,
            CutKind::Wavering { .. } => 7,
        }
    };
    let mut from: Vec<CutKind> = all.iter().filter(of_sort).copied().collect();
    let supply = match sort {
        8 if random.below(2) == 0 => Supply::Dip,
        8 => Supply::Reset,
        _ => Supply::Off,
    };
    if from.is_empty() {
        // A dip and a reset come in every way, and a write of one word has no last bytes.
        from = all;
    }
    (from[random.below(from.len() as u64) as usize], supply)
}
