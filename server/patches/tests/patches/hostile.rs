use otaru_release::patch::{
    Applier, Base, BaseUnreadable, Codec, HEADER_BYTES, PatchError, PatchHeader,
};
use otaru_wire::Digest;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{apply, header_of, noise};

/// A pair whose patch is short enough to damage everywhere.
fn short_pair() -> (Vec<u8>, Vec<u8>) {
    let base = noise(11, 3_000);
    let mut target = base.clone();
    for at in (50..target.len()).step_by(160) {
        target[at] ^= 0x11;
    }
    target.splice(700..720, noise(12, 64));
    target.rotate_left(1_000);
    (base, target)
}

fn short_patch() -> Vec<u8> {
    let (base, target) = short_pair();
    otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap()
}

#[test]
fn patch_cut_short_anywhere_is_never_done() {
    let ((base, target), patch) = (short_pair(), short_patch());
    for length in 0..patch.len() {
        let (made, _) = apply(&base, &patch[..length], (512, 512));
        assert!(made.len() <= target.len());
        let mut applier = Applier::<4096>::new();
        let Some(header) = patch[..length].first_chunk() else { continue };
        applier.begin(&PatchHeader::parse(header).unwrap()).unwrap();
        let fed = super::feed(&mut applier, &base, &patch[HEADER_BYTES..length], (512, 512));
        assert!(fed.1.is_err() || !applier.is_done(), "{length} of {} bytes", patch.len());
    }
}

#[test]
fn flipped_bit_in_the_header_is_refused_before_anything_is_made() {
    let ((base, target), patch) = (short_pair(), short_patch());
    let of = |image: &[u8]| (Digest::of(image), image.len() as u32);
    let ((target, target_bytes), (base, base_bytes)) = (of(&target), of(&base));
    for bit in 0..8 * HEADER_BYTES {
        let mut damaged = *patch.first_chunk::<HEADER_BYTES>().unwrap();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let checked = PatchHeader::parse(&damaged)
            .and_then(|header| header.check((&target, target_bytes), (&base, base_bytes)));
        assert!(checked.is_err(), "bit {bit}");
    }
}

#[test]
fn flipped_bit_in_a_segment_makes_another_image_or_none() {
    let ((base, target), patch) = (short_pair(), short_patch());
    // The encoder's last bytes say more than the decoder needs.
    let (segment, flush) = (header_of(&patch).body_offset() as usize, patch.len() - 5);
    let mut refused = 0;
    for bit in 8 * segment..8 * patch.len() {
        let mut damaged = patch.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (made, result) = apply(&base, &damaged, (512, 512));
        assert!(made.len() <= target.len());
        assert!(result.is_err() || made != target || bit / 8 >= flush, "bit {bit}");
        refused += usize::from(result.is_err());
    }
    assert!(refused > patch.len(), "only {refused} flips were noticed without a digest");
}

#[test]
fn wrong_base_and_wrong_target_have_their_own_errors() {
    let ((base, target), header) = (short_pair(), header_of(&short_patch()));
    let of = |image: &[u8]| (Digest::of(image), image.len() as u32);
    let check = |target: &[u8], base: &[u8]| {
        let ((target, target_bytes), (base, base_bytes)) = (of(target), of(base));
        header.check((&target, target_bytes), (&base, base_bytes))
    };
    assert_eq!(check(&target, &base), Ok(()));
    assert_eq!(check(&target, &target), Err(PatchError::OtherBase));
    assert_eq!(check(&base, &base), Err(PatchError::OtherTarget));
    let packed = header_of(&otaru_patches::pack(&target, Codec::Lzma4K).unwrap());
    let (digest, length) = of(&target);
    assert_eq!(packed.check((&digest, length), (&Digest::of(b"any"), 3)), Ok(()));
}

#[test]
fn header_that_makes_no_sense_is_refused() {
    let patch = short_patch();
    let with = |at: usize, bytes: &[u8]| {
        let mut header = *patch.first_chunk::<HEADER_BYTES>().unwrap();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        PatchHeader::parse(&header).unwrap_err()
    };
    assert_eq!(with(0, b"o"), PatchError::NotAPatch);
    assert_eq!(with(4, &[2]), PatchError::Format);
    assert_eq!(with(7, &[1]), PatchError::Format);
    assert_eq!(with(5, &[0]), PatchError::Codec);
    assert_eq!(with(5, &[3]), PatchError::Codec);
    assert_eq!(with(8, &[0; 4]), PatchError::Length);
    assert_eq!(with(8, &[0xFF; 4]), PatchError::Length);
    assert_eq!(with(12, &[0xFF; 4]), PatchError::Length);
}

#[test]
fn frame_that_makes_no_sense_is_refused() {
    let ((base, _), patch) = (short_pair(), short_patch());
    let with = |at: usize, bytes: &[u8]| {
        let mut damaged = patch.clone();
        damaged[84 + at..][..bytes.len()].copy_from_slice(bytes);
        apply(&base, &damaged, (512, 512)).1
    };
    assert_eq!(with(0, &[0xFF; 4]), Err(PatchError::Length));
    assert_eq!(with(0, &[0; 4]), Err(PatchError::Damaged));
    assert_eq!(with(4, &[0xFF; 4]), Err(PatchError::OutsideBase));
    assert_eq!(with(8, &[1]), Err(PatchError::Damaged));
    let mut longer = patch.clone();
    let packed = u32::from_le_bytes(*patch[84..].first_chunk().unwrap()) + 1;
    longer[84..88].copy_from_slice(&packed.to_le_bytes());
    longer.push(0);
    assert_eq!(apply(&base, &longer, (512, 512)).1, Err(PatchError::LeftOver));
}

/// A flash that cannot be read.
struct Broken;

impl Base for Broken {
    fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), BaseUnreadable> {
        Err(BaseUnreadable)
    }
}

#[test]
fn base_that_cannot_be_read_is_the_only_reason_to_try_again() {
    let patch = short_patch();
    let mut applier = Applier::<4096>::new();
    applier.begin(&header_of(&patch)).unwrap();
    let mut rest = &patch[HEADER_BYTES..];
    let error = loop {
        match applier.apply(rest, &mut Broken, &mut [0; 512]) {
            Ok(applied) => rest = &rest[applied.taken..],
            Err(error) => break error,
        }
    };
    assert_eq!(error, PatchError::BaseUnreadable);
    assert!(error.is_retryable() && !PatchError::Damaged.is_retryable());
}

/// The records of one segment, packed as a maker would.
fn patch_of(records: &[u8], target_bytes: u32, base: &[u8]) -> Vec<u8> {
    let header = PatchHeader {
        codec: Codec::Lzma4K,
        target_bytes,
        base_bytes: base.len() as u32,
        target: Digest::of(b"never compared here"),
        base: Digest::of(base),
    };
    let packed = otaru_patches::pack_records(records, Codec::Lzma4K).unwrap();
    let mut patch = header.to_bytes().to_vec();
    patch.extend(header.body_offset().to_le_bytes());
    patch.extend((packed.len() as u32).to_le_bytes());
    patch.extend(0_u32.to_le_bytes());
    patch.extend(packed);
    patch
}

#[test]
fn records_that_lie_are_refused() {
    let base = [7; 10];
    let check = |records: &[u8]| apply(&base, &patch_of(records, 5, &base), (512, 512));
    let failed = |error| Err(error);
    assert_eq!(check(&[2, 0, 1, 3, b'a', b'b', b'c']), (vec![7, 8, b'a', b'b', b'c'], Ok(())));
    assert_eq!(check(&[2, 0, 1, 2, b'a', b'b', 7, 1, 1]), (vec![7, 8, b'a', b'b', 8], Ok(())));
    assert_eq!(check(&[6, 0, 0, 0, 0, 0, 0]).1, failed(PatchError::TooLong));
    assert_eq!(check(&[0, 6, 0, 0, 0, 0, 0, 0]).1, failed(PatchError::TooLong));
    assert_eq!(check(&[1, 0, 0, 9, 1]).1, failed(PatchError::OutsideBase));
    assert_eq!(check(&[1, 0, 0, 0x42, 1]).1, failed(PatchError::OutsideBase));
    assert_eq!(check(&[1, 0, 0, 10, 1]).1, failed(PatchError::OutsideBase));
    assert_eq!(check(&[0x41, 0]).1, failed(PatchError::Record));
    assert_eq!(check(&[0, 0, 0]).1, failed(PatchError::Record));
    assert_eq!(check(&[0x80, 0x80, 0x80, 0x80, 0]).1, failed(PatchError::Record));
    assert_eq!(check(&[0, 5, 1, 2, 3, 4, 5, 6]).1, failed(PatchError::LeftOver));
    assert_eq!(check(&[0, 5, 1, 2, 3, 4]).1, failed(PatchError::Damaged));
}

proptest! {
    #[test]
    fn hostile_bytes_never_make_more_than_the_target(
        bytes in vec(any::<u8>(), 0..600),
        records in vec(any::<u8>(), 1..200),
        target_bytes in 1..2_000_u32,
        steps in (1..50_usize, 1..50_usize),
    ) {
        let base = noise(5, 500);
        let (made, _) = apply(&base, &patch_of(&records, target_bytes, &base), steps);
        prop_assert!(made.len() <= target_bytes as usize);
        // The same header and frame, and a body that no encoder wrote.
        let mut patch = patch_of(&[0], target_bytes, &base);
        patch.truncate(84);
        patch.extend((bytes.len() as u32 + 1).to_le_bytes());
        patch.extend([0; 5]);
        patch.extend(bytes);
        let (made, _) = apply(&base, &patch, steps);
        prop_assert!(made.len() <= target_bytes as usize);
    }
}
