//! Makes patches: the new image as its differences to one that devices run.
//!
//! [`make`] takes two whole images and gives a patch that was applied to the base
//! before it is returned; [`pack`] gives the new image alone, packed;
//! [`make_for_esp_delta_ota`] serves devices without our agent. All are pure, run
//! for a second or two of one core and keep nothing.
//!
//! The format and its other half, the applier, are `otaru_release::patch`.

mod esp;
mod matches;
mod packing;
mod records;
mod shrink;

use otaru_release::patch::{
    Applier, Codec, HEADER_BYTES, MAX_IMAGE_BYTES, PatchError, PatchHeader, SEGMENT_BYTES,
};
use otaru_wire::Digest;

use matches::{Matcher, Piece};
use packing::Effort;

pub use esp::make_for_esp_delta_ota;
pub use packing::pack_records;

/// Why there is no patch.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// An image that is empty or longer than a patch can describe.
    #[error("an image of {found_bytes} bytes cannot be patched")]
    Length {
        /// The image's length.
        found_bytes: usize,
    },
    /// The encoder failed.
    #[error("the patch could not be packed")]
    Packing(#[source] std::io::Error),
    /// The patch, applied, did not make the image: a fault of this crate.
    #[error("the patch was made, but does not make the image")]
    Wrong(#[source] Option<PatchError>),
}

/// A patch that makes `target` from `base`.
///
/// Memory: about 4 bytes per byte of the base, 9 per byte of the target, and 2 MiB.
pub fn make(base: &[u8], target: &[u8], codec: Codec) -> Result<Vec<u8>, MakeError> {
    check_length(base)?;
    check_length(target)?;
    let mut matcher = Matcher::new(base, target);
    let plans = matches::GAINS.map(|gain| matcher.pieces(gain));
    let patch = write(base, target, &plans, codec)?;
    prove(base, target, &patch)?;
    Ok(patch)
}

/// The image alone, packed: for devices that run what no patch was made from.
pub fn pack(target: &[u8], codec: Codec) -> Result<Vec<u8>, MakeError> {
    check_length(target)?;
    let whole = Piece { target: 0..target.len(), base: None };
    let patch = write(&[], target, &[vec![whole]], codec)?;
    prove(&[], target, &patch)?;
    Ok(patch)
}

fn check_length(image: &[u8]) -> Result<(), MakeError> {
    let found_bytes = image.len();
    if (1..=MAX_IMAGE_BYTES as usize).contains(&found_bytes) {
        Ok(())
    } else {
        Err(MakeError::Length { found_bytes })
    }
}

/// Writes header, table and segments, each by whichever plan packs it smallest.
fn write(
    base: &[u8],
    target: &[u8],
    plans: &[Vec<Piece>],
    codec: Codec,
) -> Result<Vec<u8>, MakeError> {
    let header = PatchHeader {
        codec,
        target_bytes: target.len() as u32,
        base_bytes: base.len() as u32,
        target: Digest::of(target),
        base: if base.is_empty() { Digest([0; 32]) } else { Digest::of(base) },
    };
    let mut patch = header.to_bytes().to_vec();
    patch.resize(header.body_offset() as usize, 0);
    for segment in 0..header.segments() as usize {
        let entry = HEADER_BYTES + 4 * segment;
        let offset = patch.len() as u32;
        patch[entry..entry + 4].copy_from_slice(&offset.to_le_bytes());
        let start = segment * SEGMENT_BYTES as usize;
        let range = start..start + header.segment_bytes(segment as u32) as usize;
        let streams = plans.iter().map(|plan| records::write(base, target, plan, range.clone()));
        let (at, records) = smallest(streams.collect(), codec)?;
        let packed = pack_records(&records, codec).map_err(MakeError::Packing)?;
        patch.extend((packed.len() as u32).to_le_bytes());
        patch.extend(at.to_le_bytes());
        patch.extend(packed);
    }
    Ok(patch)
}

/// The record stream that packs best, with where it begins in the base.
fn smallest(streams: Vec<(u32, Vec<u8>)>, codec: Codec) -> Result<(u32, Vec<u8>), MakeError> {
    let mut best: Option<(usize, u32, Vec<u8>)> = None;
    for (at, records) in streams {
        let packed = packing::pack(&records, codec, Effort::Compare).map_err(MakeError::Packing)?;
        if best.as_ref().is_none_or(|(length, ..)| packed.len() < *length) {
            best = Some((packed.len(), at, records));
        }
    }
    let (_, at, records) = best.expect("there is at least one plan");
    Ok((at, records))
}

/// Applies the patch as a device does.
fn prove(base: &[u8], target: &[u8], patch: &[u8]) -> Result<(), MakeError> {
    match apply(base, patch) {
        Ok(made) if made == target => Ok(()),
        Ok(_) => Err(MakeError::Wrong(None)),
        Err(error) => Err(MakeError::Wrong(Some(error))),
    }
}

/// Applies a whole patch to a whole base, in memory.
///
/// Proves nothing about the result: compare its digest.
pub fn apply(mut base: &[u8], patch: &[u8]) -> Result<Vec<u8>, PatchError> {
    let (header, mut rest) = patch.split_first_chunk().ok_or(PatchError::NotAPatch)?;
    let mut applier = Box::new(Applier::<8192>::new());
    applier.begin(&PatchHeader::parse(header)?)?;
    let (mut made, mut output) = (Vec::new(), [0; 4096]);
    while !applier.is_done() {
        let applied = applier.apply(rest, &mut base, &mut output)?;
        made.extend(&output[..applied.made]);
        rest = &rest[applied.taken..];
        if applied.made == 0 && rest.is_empty() && !applier.is_done() {
            return Err(PatchError::Damaged);
        }
    }
    if rest.is_empty() { Ok(made) } else { Err(PatchError::LeftOver) }
}
