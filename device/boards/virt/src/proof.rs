//! Why a slot's image may run: the signed documents it came with, kept in a partition beside it.
//!
//! `device/host` keeps of a manifest what the agent has to know, not its signature, and in records
//! that only whoever may write them can open. A bootloader writes nothing but marks: it reads the
//! documents themselves, as they came from the server.
//!
//! | at | |
//! | --- | --- |
//! | 0 | `OTPR`, written last |
//! | 4 | length of what follows |
//! | 8 | for each document: its length in two bytes, its bytes |
//!
//! All numbers are little-endian. The last document is the manifest. Those before it are root
//! documents: the first is signed by the root key of the read-only bank, each other one by its
//! predecessor, and the last of them names the key that signed the manifest, which is one of the
//! product that the read-only bank names. A key that was
//! revoked since then may no longer be installed from; what it signed before goes on running,
//! for a device that starts nothing can be told nothing either.

use otaru_release::{Distrust, ManifestView, PublicKey, RootView};
use otaru_wire::Digest;

/// Bytes before the documents.
pub const HEAD_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"OTPR";

/// Why an image is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no proof, or one that was not written to its end.
    NoProof,
    /// A root document is not believed.
    Root(Distrust),
    /// The manifest is not believed.
    Manifest(Distrust),
    /// The manifest is that of another product's image.
    Product,
    /// The manifest is that of another chip's image.
    Chip,
    /// The image is longer than its slot.
    TooLong,
    /// The slot holds other bytes than the manifest says.
    Digest,
    /// Flash failed.
    Flash,
}

impl Refusal {
    /// A short stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::NoProof => "no_proof",
            Refusal::Root(_) => "root_untrusted",
            Refusal::Manifest(_) => "manifest_untrusted",
            Refusal::Product => "wrong_product",
            Refusal::Chip => "wrong_chip",
            Refusal::TooLong => "image_too_long",
            Refusal::Digest => "digest_mismatch",
            Refusal::Flash => "flash_failed",
        }
    }
}

/// What a slot has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Length of the image.
    pub size_bytes: u32,
    /// SHA-256 of the image.
    pub sha256: Digest,
}

/// Reads a proof and follows it from `root_key` to its end.
///
/// Time is not looked at: an image that was good enough to be installed goes on running.
pub fn verify(
    bytes: &[u8],
    root_key: PublicKey,
    product: &str,
    chip: &str,
) -> Result<Signed, Refusal> {
    let mut documents = Documents::open(bytes).ok_or(Refusal::NoProof)?;
    let first = documents.next().ok_or(Refusal::NoProof)?;
    let mut root = RootView::verify(first, [root_key]).map_err(Refusal::Root)?;
    let mut next = documents.next().ok_or(Refusal::NoProof)?;
    for after in documents {
        root = RootView::verify_next(next, &root).map_err(Refusal::Root)?;
        next = after;
    }
    let manifest = ManifestView::verify(next, &root, None).map_err(Refusal::Manifest)?;
    if manifest.product() != product.as_bytes() {
        return Err(Refusal::Product);
    }
    if manifest.chip() != chip.as_bytes() {
        return Err(Refusal::Chip);
    }
    let size_bytes = u32::try_from(manifest.size_bytes()).map_err(|_| Refusal::TooLong)?;
    Ok(Signed { size_bytes, sha256: manifest.sha256() })
}

/// Length of a proof of these documents.
pub fn length(documents: &[&[u8]]) -> usize {
    documents.iter().fold(HEAD_BYTES, |sum, document| sum.saturating_add(2 + document.len()))
}

/// Writes documents as a proof; answers its length. `None` where they have no room.
pub fn write(documents: &[&[u8]], out: &mut [u8]) -> Option<usize> {
    let mut at = HEAD_BYTES;
    for document in documents {
        let length = u16::try_from(document.len()).ok()?;
        out.get_mut(at..at + 2)?.copy_from_slice(&length.to_le_bytes());
        at += 2;
        out.get_mut(at..at + document.len())?.copy_from_slice(document);
        at += document.len();
    }
    out.get_mut(..4)?.copy_from_slice(&MAGIC);
    out[4..HEAD_BYTES].copy_from_slice(&((at - HEAD_BYTES) as u32).to_le_bytes());
    Some(at)
}

/// The documents of a proof.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a> {
    rest: &'a [u8],
}

impl<'a> Documents<'a> {
    /// Looks at the head.
    pub fn open(bytes: &'a [u8]) -> Option<Documents<'a>> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let rest = rest.get(..usize::try_from(length).ok()?)?;
        (head[..4] == MAGIC).then_some(Documents { rest })
    }
}

impl<'a> Iterator for Documents<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let (document, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        self.rest = rest;
        Some(document)
    }
}
