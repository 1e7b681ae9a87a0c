use otaru_patches::MakeError;
use otaru_release::patch::{Applier, Codec, MAX_IMAGE_BYTES, PatchError, SEGMENT_BYTES};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{apply, feed, header_of, long_pair, noise};

/// What happened to an image between two releases.
#[derive(Clone, Debug)]
enum Edit {
    Add(usize, Vec<u8>),
    Remove(usize, usize),
    Change(usize, Vec<u8>),
    Fill(usize, u8, usize),
    Move(usize, usize, usize),
}

impl Edit {
    fn apply(self, image: &mut Vec<u8>) {
        let length = image.len();
        let range = |at: usize, bytes: usize| {
            let start = at % (length + 1);
            start..length.min(start + bytes)
        };
        match self {
            Edit::Add(at, bytes) => drop(image.splice(range(at, 0), bytes)),
            Edit::Remove(at, bytes) => drop(image.drain(range(at, bytes))),
            Edit::Change(at, bytes) => drop(image.splice(range(at, bytes.len()), bytes)),
            Edit::Fill(at, byte, bytes) => image[range(at, bytes)].fill(byte),
            Edit::Move(at, bytes, to) => {
                let moved: Vec<u8> = image.drain(range(at, bytes)).collect();
                let to = to % (image.len() + 1);
                image.splice(to..to, moved);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let (at, length) = (0..100_000_usize, 0..3_000_usize);
    prop_oneof![
        (at.clone(), vec(any::<u8>(), 0..300)).prop_map(|(at, bytes)| Edit::Add(at, bytes)),
        (at.clone(), length.clone()).prop_map(|(at, bytes)| Edit::Remove(at, bytes)),
        (at.clone(), vec(any::<u8>(), 0..8)).prop_map(|(at, bytes)| Edit::Change(at, bytes)),
        (at.clone(), any::<u8>(), length.clone()).prop_map(|(at, byte, n)| Edit::Fill(at, byte, n)),
        (at.clone(), length, at).prop_map(|(at, bytes, to)| Edit::Move(at, bytes, to)),
    ]
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![Just(Codec::Lzma4K), Just(Codec::Lzma8K)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn edited_image_comes_back(
        seed: u32,
        length in 1..20_000_usize,
        edits in vec(edit(), 0..12),
        codec in codec(),
        steps in (1..700_usize, 1..700_usize),
    ) {
        let base = noise(seed, length);
        let mut target = base.clone();
        edits.into_iter().for_each(|edit| edit.apply(&mut target));
        prop_assume!(!target.is_empty());
        let patch = otaru_patches::make(&base, &target, codec).unwrap();
        prop_assert_eq!(apply(&base, &patch, steps), (target, Ok(())));
    }

    #[test]
    fn unrelated_image_comes_back(base in vec(any::<u8>(), 1..900), target in vec(any::<u8>(), 1..900)) {
        let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
        prop_assert_eq!(apply(&base, &patch, (50, 60)), (target, Ok(())));
    }

    #[test]
    fn packed_image_comes_back_from_any_base(
        image in vec(0..9_u8, 1..5_000),
        codec in codec(),
        steps in (1..90_usize, 1..90_usize),
    ) {
        let packed = otaru_patches::pack(&image, codec).unwrap();
        prop_assert!(packed.len() < image.len() * 3 / 5 + 200);
        prop_assert_eq!(apply(b"whatever runs", &packed, steps), (image, Ok(())));
    }
}

#[test]
fn bytes_one_at_a_time_make_the_same_image() {
    let (base, target) = long_pair();
    let patch = otaru_patches::make(&base, &target, Codec::Lzma8K).unwrap();
    assert!(patch.len() < 16_000, "{} bytes for 5,000 that are new", patch.len());
    assert!(apply(&base, &patch, (1, 1)) == (target.clone(), Ok(())));
    assert!(apply(&base, &patch, (usize::MAX, 1 << 20)) == (target, Ok(())));
}

#[test]
fn small_dictionary_fits_in_8_kib_and_refuses_a_larger_one() {
    assert!(size_of::<Applier<4096>>() <= 8192 - 256, "{}", size_of::<Applier<4096>>());
    let (base, target) = (noise(1, 9_000), noise(2, 9_000));
    let mut applier = Applier::<4096>::new();
    let patch = otaru_patches::make(&base, &target, Codec::Lzma8K).unwrap();
    assert_eq!(applier.begin(&header_of(&patch)), Err(PatchError::Dictionary));
    let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
    applier.begin(&header_of(&patch)).unwrap();
    assert!(feed(&mut applier, &base, &patch[80..], (512, 512)) == (target, Ok(())));
}

#[test]
fn images_as_long_as_segments_come_back() {
    let base = noise(3, 2 * SEGMENT_BYTES as usize);
    for length in [SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES] {
        let target = &base[base.len() - length as usize..];
        let patch = otaru_patches::make(&base, target, Codec::Lzma4K).unwrap();
        assert!(apply(&base, &patch, (4096, 4096)) == (target.to_vec(), Ok(())), "{length}");
    }
}

#[test]
fn padding_and_repetition_do_not_take_for_ever() {
    let mut base = vec![0xFF; 1 << 20];
    base[..64].copy_from_slice(&noise(4, 64));
    let target = b"ab".repeat(1 << 19);
    for (base, target) in [(&base, &target), (&target, &base)] {
        let patch = otaru_patches::make(base, target, Codec::Lzma4K).unwrap();
        assert!(patch.len() < 3_000, "{}", patch.len());
    }
}

#[test]
fn images_without_bytes_and_too_long_ones_are_refused() {
    let refused = |base: &[u8], target: &[u8]| {
        matches!(otaru_patches::make(base, target, Codec::Lzma4K), Err(MakeError::Length { .. }))
    };
    assert!(refused(b"", b"x") && refused(b"x", b""));
    let too_long = vec![0; MAX_IMAGE_BYTES as usize + 1];
    assert!(refused(&too_long, b"x") && refused(b"x", &too_long));
}
