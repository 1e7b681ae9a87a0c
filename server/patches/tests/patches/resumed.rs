use otaru_release::patch::{Applier, Checkpoint, Codec, HEADER_BYTES, PatchError, SEGMENT_BYTES};

use super::{feed, header_of, long_pair};

/// Where each segment begins, as the table has it.
fn table(patch: &[u8]) -> Vec<Checkpoint> {
    (0..header_of(patch).segments())
        .map(|segment| {
            let entry = HEADER_BYTES + 4 * segment as usize;
            let offset = u32::from_le_bytes(*patch[entry..].first_chunk().unwrap());
            Checkpoint { segment, offset }
        })
        .collect()
}

#[test]
fn checkpoints_are_those_of_the_table() {
    let (base, target) = long_pair();
    let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
    let (mut applier, mut rest) = (Applier::<4096>::new(), &patch[HEADER_BYTES..]);
    applier.begin(&header_of(&patch)).unwrap();
    let (mut found, mut output) = (Vec::new(), [0; 100]);
    while !applier.is_done() {
        let given = &rest[..rest.len().min(77)];
        let applied = applier.apply(given, &mut &base[..], &mut output).unwrap();
        rest = &rest[applied.taken..];
        found.extend(applier.checkpoint().filter(|found_now| found.last() != Some(found_now)));
    }
    let end = Checkpoint { segment: 4, offset: patch.len() as u32 };
    assert_eq!(found.pop(), Some(end));
    assert_eq!(found, table(&patch)[1..]);
}

#[test]
fn every_segment_can_be_begun_at() {
    let (base, target) = long_pair();
    let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
    let header = header_of(&patch);
    let mut applier = Applier::<4096>::new();
    for checkpoint in table(&patch) {
        // What the cut left half made has no effect on what comes after.
        applier.begin(&header).unwrap();
        let (half, _) = feed(&mut applier, &base, &patch[HEADER_BYTES..3_000], (512, 512));
        assert!(!half.is_empty());

        let kept = Checkpoint::from_bytes(checkpoint.to_bytes());
        assert_eq!(kept, checkpoint);
        applier.resume(&header, kept).unwrap();
        let rest = &patch[checkpoint.offset as usize..];
        let start = checkpoint.made_bytes(&header) as usize;
        assert_eq!(start, checkpoint.segment as usize * SEGMENT_BYTES as usize);
        assert!(feed(&mut applier, &base, rest, (512, 512)) == (target[start..].to_vec(), Ok(())));
    }
}

#[test]
fn checkpoints_outside_the_patch_are_refused() {
    let (base, target) = long_pair();
    let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
    let header = header_of(&patch);
    let mut applier = Applier::<4096>::new();
    for (segment, offset) in [(0, 0), (5, 9_000), (u32::MAX, u32::MAX), (1, 95)] {
        let refused = applier.resume(&header, Checkpoint { segment, offset });
        assert_eq!(refused, Err(PatchError::Checkpoint));
    }
    let whole = Checkpoint { segment: 4, offset: patch.len() as u32 };
    applier.resume(&header, whole).unwrap();
    assert!(applier.is_done());
    assert_eq!(whole.made_bytes(&header), header.target_bytes);
}
