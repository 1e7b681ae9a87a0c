//! Patches made and applied: whole, in small pieces, after cuts, and by an attacker.

mod patches {
    mod hostile;
    mod resumed;
    mod roundtrip;
    mod vectors;

    use otaru_release::patch::{Applier, HEADER_BYTES, PatchError, PatchHeader};

    /// Bytes that compress as badly as they come, the same for the same seed.
    fn noise(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    /// A base and a target of more than three segments: code that moved, pointers
    /// that changed, a part that is new and one that is gone.
    fn long_pair() -> (Vec<u8>, Vec<u8>) {
        let base = noise(7, 420_000);
        let mut target = base.clone();
        for at in (1_000..target.len()).step_by(997) {
            target[at] = target[at].wrapping_add(4);
        }
        target.drain(40_000..43_210);
        target.splice(200_000..200_000, noise(8, 5_000));
        target.rotate_left(150_000);
        (base, target)
    }

    fn header_of(patch: &[u8]) -> PatchHeader {
        PatchHeader::parse(patch.first_chunk().unwrap()).unwrap()
    }

    /// Feeds `rest` until the image is made, the patch ends or it fails: what was made.
    ///
    /// `in_bytes` at a time go in and `out_bytes` come out.
    fn feed<const DICTIONARY: usize>(
        applier: &mut Applier<DICTIONARY>,
        mut base: &[u8],
        mut rest: &[u8],
        (in_bytes, out_bytes): (usize, usize),
    ) -> (Vec<u8>, Result<(), PatchError>) {
        let (mut made, mut output) = (Vec::new(), vec![0; out_bytes]);
        while !applier.is_done() {
            let given = &rest[..rest.len().min(in_bytes)];
            let applied = match applier.apply(given, &mut base, &mut output) {
                Ok(applied) => applied,
                Err(error) => return (made, Err(error)),
            };
            assert!(applied.taken <= given.len() && applied.made <= output.len());
            made.extend(&output[..applied.made]);
            rest = &rest[applied.taken..];
            if rest.is_empty() && applied.made == 0 && applied.taken == 0 {
                break;
            }
        }
        (made, Ok(()))
    }

    /// Applies a whole patch, as a device with an 8 KiB dictionary.
    fn apply(
        base: &[u8],
        patch: &[u8],
        steps: (usize, usize),
    ) -> (Vec<u8>, Result<(), PatchError>) {
        let Some(header) = patch.first_chunk() else { return (Vec::new(), Ok(())) };
        let mut applier = Box::new(Applier::<8192>::new());
        match PatchHeader::parse(header).and_then(|header| applier.begin(&header)) {
            Ok(()) => feed(&mut applier, base, &patch[HEADER_BYTES..], steps),
            Err(error) => (Vec::new(), Err(error)),
        }
    }
}
