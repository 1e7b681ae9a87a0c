//! Patches: how a device makes the new image from the one it runs.
//!
//! A patch is trusted for nothing. What it makes counts only by the digests of
//! the signed manifest, so the worst a patch can cost is a download: whatever is
//! wrong with it is a [`PatchError`], and the answer to each is the full image.
//!
//! A device reads a [`PatchHeader`], holds it against what it runs and wants, and
//! feeds the rest to an [`Applier`]. `docs/patches.md` has the format.

mod applier;
mod error;
mod header;
mod lzma;
mod records;
mod window;

pub use applier::{Applied, Applier, Base, BaseUnreadable, Checkpoint};
pub use error::PatchError;
pub use header::{Codec, HEADER_BYTES, PatchHeader};
pub use records::MAX_NUMBER_BYTES;

use crate::CHUNK_BYTES;

/// Bytes of the target that one segment makes; the last one may make fewer.
///
/// Two chunks of the signed manifest: a segment can be checked as soon as it is
/// whole, and shorter ones would spend more on what the codec must learn anew.
pub const SEGMENT_BYTES: u32 = 2 * CHUNK_BYTES as u32;

/// Bytes before a segment's packed records: their length, and where in the base they begin.
pub const FRAME_BYTES: usize = 8;

/// The longest image a patch makes or starts from, the longest that a manifest describes.
pub const MAX_IMAGE_BYTES: u32 = (1 << 27) - 1;
