//! The manifest: what a release key says about one image.
//!
//! It names the *target*, never the way there: whatever delivers the bytes is
//! trusted for nothing, because every chunk and the whole are checked against
//! the digests in here.

mod error;
mod payload;
mod raw;
mod target;
#[cfg(test)]
mod tests;
mod view;

use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::cose::Envelope;
#[cfg(feature = "sign")]
use crate::cose::Unsigned;
use crate::image::{Chip, Image, ImageError, ImageFacts};
use crate::key::KeyId;
#[cfg(feature = "sign")]
use crate::key::{PublicKey, SecretKey};
use crate::root::Root;

pub use error::{ManifestError, Mismatch, Revisions};
pub use target::{Target, Unsuitable};
pub use view::ManifestView;

/// Bytes per chunk of an image; the last one may be shorter.
///
/// A multiple of every flash sector size, so a resumed download starts at a sector.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Largest manifest accepted, in bytes of its signed form: an image of 127 MiB.
const MAX_BYTES: usize = 64 * 1024;
const DOCUMENT_TYPE: &str = "application/vnd.otaru.manifest";

/// What a release key says about one image of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Rises with every release of a product; a device takes none below the highest it took.
    pub sequence: u64,
    /// The kind of device it is for.
    pub product: ProductName,
    /// The chip it is for.
    pub chip: Chip,
    /// Lowest chip revision it is for, major × 100 + minor.
    pub min_revision: u16,
    /// Highest chip revision it is for; `None` is no limit.
    pub max_revision: Option<u16>,
    /// The release's label.
    pub version: ReleaseVersion,
    /// SHA-256 of the image: its identity.
    pub sha256: Digest,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// SHA-256 of every chunk of [`CHUNK_BYTES`], in order.
    pub chunks: Vec<Digest>,
    /// Raised when a release closes a hole; a device takes none below that of its confirmed image.
    pub security_counter: u32,
    /// What else must be there already; a device that cannot tell refuses.
    pub dependencies: Vec<Dependency>,
    /// From then on nobody may install it; seconds since 1970.
    pub expires_at: Option<i64>,
    /// Whether the publisher means this release to replace newer software by older.
    pub is_downgrade: bool,
}

/// A release that must be confirmed on the device before.
///
/// For the manifest's own product this is a stepping stone; another product
/// name means another part of the device with an update path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Whose release.
    pub product: ProductName,
    /// Its sequence number, at least.
    pub min_sequence: u64,
}

impl Manifest {
    /// Describes an image; refuses one that is not whole.
    ///
    /// Chip, revisions and security counter are the image's own. There is no
    /// expiry, no dependency and no downgrade: set those fields if needed.
    pub fn for_image(
        image: &[u8],
        product: ProductName,
        version: ReleaseVersion,
        sequence: u64,
    ) -> Result<Manifest, ImageError> {
        let facts = Image::parse(image)?;
        Ok(Manifest {
            sequence,
            product,
            chip: facts.chip,
            min_revision: facts.min_revision,
            max_revision: facts.max_revision,
            version,
            sha256: facts.sha256,
            size_bytes: facts.size_bytes,
            chunks: chunk_hashes(image),
            security_counter: facts.descriptor.map_or(0, |descriptor| descriptor.secure_version),
            dependencies: Vec::new(),
            expires_at: None,
            is_downgrade: false,
        })
    }

    /// The signed manifest, as it is uploaded and served.
    #[cfg(feature = "sign")]
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        self.unsigned(&key.public_key()).sign(key)
    }

    /// The manifest as `key` would have to sign it: for keys that are kept elsewhere.
    #[cfg(feature = "sign")]
    pub fn unsigned(&self, key: &PublicKey) -> Unsigned {
        Unsigned::new(payload::write(self), DOCUMENT_TYPE, *key)
    }

    /// The key that a manifest says it is signed by. Proves nothing before
    /// [`Manifest::verify`] took the same bytes.
    pub fn signer(bytes: &[u8]) -> Result<KeyId, ManifestError> {
        Envelope::open(bytes, DOCUMENT_TYPE)
            .map(|envelope| envelope.key_id)
            .map_err(ManifestError::Cose)
    }

    /// Reads a manifest that was verified when it was stored. No signature is looked at.
    pub fn read_trusted(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let manifest = ManifestView::read_trusted(bytes).and_then(|view| view.to_manifest());
        manifest.map_err(|distrust| ManifestError::of(distrust, 0))
    }

    /// Reads a manifest that a release key of `root` signed.
    ///
    /// Expiry of both documents is checked when `now` (seconds since 1970) is
    /// known. Whether it suits a device is another question: [`Manifest::suits`].
    pub fn verify(
        bytes: &[u8],
        root: &impl Root,
        now: Option<i64>,
    ) -> Result<Manifest, ManifestError> {
        let manifest = ManifestView::verify(bytes, root, now).and_then(|view| view.to_manifest());
        manifest.map_err(|distrust| ManifestError::of(distrust, root.number()))
    }

    /// Refuses an image other than the one described, and promises about it that are not the
    /// image's own: it may be offered to fewer chip revisions and count as newer than its header
    /// says, never the other way round.
    pub fn describes(&self, image: &ImageFacts) -> Result<(), ManifestError> {
        let mismatch = |mismatch| Err(ManifestError::Mismatch(mismatch));
        if self.sha256 != image.sha256 {
            let (found, expected) = (self.sha256, image.sha256);
            return mismatch(Mismatch::Sha256 { found, expected });
        }
        if self.size_bytes != image.size_bytes {
            let (found, expected) = (self.size_bytes, image.size_bytes);
            return mismatch(Mismatch::Size { found, expected });
        }
        if self.chip != image.chip {
            return mismatch(Mismatch::Chip { found: self.chip, expected: image.chip });
        }
        let secure_version = image.descriptor.as_ref().map_or(0, |found| found.secure_version);
        if self.security_counter < secure_version {
            let (found, expected) = (self.security_counter, secure_version);
            return Err(ManifestError::CounterBelowImage { found, expected });
        }
        let (own, of_image) =
            ((self.min_revision, self.max_revision), (image.min_revision, image.max_revision));
        let is_above = of_image.1.is_some_and(|most| own.1.is_none_or(|max| max > most));
        if own.0 < of_image.0 || is_above {
            return Err(ManifestError::RevisionsBeyondImage { found: own, expected: of_image });
        }
        Ok(())
    }

    /// Refuses chunk hashes that are not those of `image`.
    ///
    /// With [`Manifest::describes`] this is all a server must know before it stores both.
    pub fn describes_chunks(&self, image: &[u8]) -> Result<(), ManifestError> {
        let chunks = chunk_hashes(image);
        match chunks.iter().zip(&self.chunks).position(|(found, expected)| found != expected) {
            Some(chunk) => Err(ManifestError::Mismatch(Mismatch::Chunk { chunk })),
            None => Ok(()),
        }
    }

    /// The number of bytes of chunk `index`, zero behind the last.
    pub fn chunk_bytes(&self, index: usize) -> usize {
        let start = index as u64 * CHUNK_BYTES as u64;
        self.size_bytes.saturating_sub(start).min(CHUNK_BYTES as u64) as usize
    }
}

/// SHA-256 of every chunk of an image, as manifests list them.
pub fn chunk_hashes(image: &[u8]) -> Vec<Digest> {
    image.chunks(CHUNK_BYTES).map(Digest::of).collect()
}
