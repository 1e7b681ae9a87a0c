//! The patch applier of `contract/release`.

use otaru_release::patch::{
    Applier, Codec, HEADER_BYTES, MAX_IMAGE_BYTES, PatchError, PatchHeader,
};
use otaru_wire::Digest;

/// What the device runs, as far as any patch here is concerned.
pub(crate) fn base() -> Vec<u8> {
    (0..3_000_u32).map(|at| ((at * at) >> 7) as u8).collect()
}

/// Whole patches, as they arrive.
pub(crate) fn patch(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk() else { return false };
    let Ok(parsed) = PatchHeader::parse(header) else { return false };
    assert_eq!(&parsed.to_bytes(), header, "a header has one form");
    assert!(parsed.target_bytes <= MAX_IMAGE_BYTES && parsed.body_offset() as usize > HEADER_BYTES);
    apply(&parsed, rest)
}

/// What the records of a patch say, correctly packed whatever they are.
pub(crate) fn patch_records(bytes: &[u8]) -> bool {
    let packed = otaru_patches::pack_records(bytes, Codec::Lzma4K).expect("memory does not fail");
    let Ok(packed_bytes) = u32::try_from(packed.len()) else { return false };
    let base = base();
    let header = PatchHeader {
        codec: Codec::Lzma4K,
        target_bytes: 2_000,
        base_bytes: base.len() as u32,
        target: Digest::of(b"any"),
        base: Digest::of(&base),
    };
    let mut rest = header.body_offset().to_le_bytes().to_vec();
    rest.extend(packed_bytes.to_le_bytes());
    rest.extend(100_u32.to_le_bytes());
    rest.extend(packed);
    apply(&header, &rest)
}

/// Feeds a patch in odd pieces; whether it came to its end.
fn apply(header: &PatchHeader, mut rest: &[u8]) -> bool {
    let base = base();
    let mut applier = Applier::<4096>::new();
    if applier.begin(header).is_err() {
        return false;
    }
    let (mut made, mut output) = (0, [0; 300]);
    while !applier.is_done() {
        let given = &rest[..rest.len().min(97)];
        let applied = match applier.apply(given, &mut base.as_slice(), &mut output) {
            Ok(applied) => applied,
            // The base here may be shorter than the header says: then reading it fails.
            Err(error) => {
                assert!(!error.is_retryable() || header.base_bytes as usize > base.len());
                assert!(error != PatchError::Checkpoint, "it began at the start");
                return false;
            }
        };
        rest = &rest[applied.taken..];
        made += applied.made as u64;
        assert!(made <= u64::from(header.target_bytes), "more than the target");
        if rest.is_empty() && applied.taken == 0 && applied.made == 0 {
            return false;
        }
    }
    assert_eq!(made, u64::from(header.target_bytes), "done is whole");
    true
}
