use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::{Manifest, ManifestError};
use crate::image::Chip;

/// What a device is and has, to hold a manifest against before the first erase.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The device's product.
    pub product: &'a ProductName,
    /// The device's chip.
    pub chip: Chip,
    /// The chip's revision, major × 100 + minor, if the device can tell.
    pub revision: Option<u16>,
    /// Bytes of the slot that would be written.
    pub slot_bytes: u64,
    /// The highest sequence number the device ever took; 0 for none.
    pub sequence: u64,
    /// The security counter of the confirmed image.
    pub security_counter: u32,
}

impl Manifest {
    /// Refuses a manifest that is not for this device, or older than what it has.
    ///
    /// Dependencies are not looked at: only the caller knows the other parts.
    pub fn suits(&self, target: &Target<'_>) -> Result<(), ManifestError> {
        if self.product != *target.product {
            return Err(ManifestError::WrongProduct {
                found: self.product.clone(),
                expected: target.product.clone(),
            });
        }
        if self.chip != target.chip {
            return Err(ManifestError::WrongChip { found: self.chip, expected: target.chip });
        }
        if let Some(revision) = target.revision
            && (revision < self.min_revision || self.max_revision.is_some_and(|max| revision > max))
        {
            let (min, max) = (self.min_revision, self.max_revision);
            return Err(ManifestError::WrongRevision { revision, min, max });
        }
        if self.size_bytes > target.slot_bytes {
            let (size_bytes, slot_bytes) = (self.size_bytes, target.slot_bytes);
            return Err(ManifestError::ImageTooLarge { size_bytes, slot_bytes });
        }
        if self.sequence < target.sequence {
            let (found, expected) = (self.sequence, target.sequence);
            return Err(ManifestError::SequenceOlder { found, expected });
        }
        if self.security_counter < target.security_counter {
            let (found, expected) = (self.security_counter, target.security_counter);
            return Err(ManifestError::SecurityCounterOlder { found, expected });
        }
        Ok(())
    }

    /// Refuses a manifest of another release than was asked for.
    ///
    /// The server's choice of release is not signed; this keeps it from
    /// answering a request for one release with another.
    pub fn names(
        &self,
        version: &ReleaseVersion,
        sha256: Option<&Digest>,
    ) -> Result<(), ManifestError> {
        if self.version != *version || sha256.is_some_and(|sha256| self.sha256 != *sha256) {
            return Err(ManifestError::WrongVersion {
                found: self.version.clone(),
                found_sha256: self.sha256,
                expected: version.clone(),
                expected_sha256: sha256.copied(),
            });
        }
        Ok(())
    }
}
