//! Manifests of images that are bytes and nothing else: for chips that run no ESP-IDF images.

use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::{Manifest, ManifestError, Mismatch, chunk_hashes};
use crate::image::Chip;

impl Manifest {
    /// Describes an image of which nothing is read.
    ///
    /// Revisions and security counter are not limited: set those fields if needed.
    pub fn for_raw_image(
        image: &[u8],
        product: ProductName,
        chip: Chip,
        version: ReleaseVersion,
        sequence: u64,
    ) -> Manifest {
        Manifest {
            sequence,
            product,
            chip,
            min_revision: 0,
            max_revision: None,
            version,
            sha256: Digest::of(image),
            size_bytes: image.len() as u64,
            chunks: chunk_hashes(image),
            security_counter: 0,
            dependencies: Vec::new(),
            expires_at: None,
            is_downgrade: false,
        }
    }

    /// Refuses bytes other than those described, or a chip other than the one they are for.
    pub fn describes_raw(&self, image: &[u8], chip: Chip) -> Result<(), ManifestError> {
        let mismatch = |mismatch| Err(ManifestError::Mismatch(mismatch));
        let (sha256, size_bytes) = (Digest::of(image), image.len() as u64);
        if self.sha256 != sha256 {
            return mismatch(Mismatch::Sha256 { found: self.sha256, expected: sha256 });
        }
        if self.size_bytes != size_bytes {
            return mismatch(Mismatch::Size { found: self.size_bytes, expected: size_bytes });
        }
        if self.chip != chip {
            return mismatch(Mismatch::Chip { found: self.chip, expected: chip });
        }
        self.describes_chunks(image)
    }
}
