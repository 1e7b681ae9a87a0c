use core::fmt;

use otaru_wire::{Digest, ProductName, Reason, ReleaseVersion};

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

/// In what a manifest does not suit a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// For another product.
    Product,
    /// For another chip.
    Chip,
    /// For other revisions of the chip.
    Revision,
    /// The image does not fit into the slot.
    TooLarge,
    /// Older than the newest release the device took.
    Sequence,
    /// Would bring a closed hole back.
    SecurityCounter,
}

impl Unsuitable {
    /// The number a device reports.
    pub fn reason(self) -> Reason {
        match self {
            Unsuitable::Product => Reason::WrongProduct,
            Unsuitable::Chip => Reason::WrongChip,
            Unsuitable::Revision => Reason::WrongRevision,
            Unsuitable::TooLarge => Reason::ImageTooLarge,
            Unsuitable::Sequence => Reason::SequenceOlder,
            Unsuitable::SecurityCounter => Reason::SecurityCounterOlder,
        }
    }
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsuitable::Product => "for another product",
            Unsuitable::Chip => "for another chip",
            Unsuitable::Revision => "for other revisions of the chip",
            Unsuitable::TooLarge => "larger than the slot",
            Unsuitable::Sequence => "older than what the device took",
            Unsuitable::SecurityCounter => "would bring a closed hole back",
        })
    }
}

impl core::error::Error for Unsuitable {}

/// What a manifest says that a device must be or have.
pub(super) struct Claims<'m> {
    pub(super) product: &'m [u8],
    pub(super) chip: &'m [u8],
    pub(super) min_revision: u16,
    pub(super) max_revision: Option<u16>,
    pub(super) size_bytes: u64,
    pub(super) sequence: u64,
    pub(super) security_counter: u32,
}

impl Target<'_> {
    pub(super) fn check(&self, claims: &Claims<'_>) -> Result<(), Unsuitable> {
        let is_other_revision = self.revision.is_some_and(|revision| {
            revision < claims.min_revision
                || claims.max_revision.is_some_and(|most| revision > most)
        });
        if claims.product != self.product.as_str().as_bytes() {
            Err(Unsuitable::Product)
        } else if claims.chip != self.chip.name().as_bytes() {
            Err(Unsuitable::Chip)
        } else if is_other_revision {
            Err(Unsuitable::Revision)
        } else if claims.size_bytes > self.slot_bytes {
            Err(Unsuitable::TooLarge)
        } else if claims.sequence < self.sequence {
            Err(Unsuitable::Sequence)
        } else if claims.security_counter < self.security_counter {
            Err(Unsuitable::SecurityCounter)
        } else {
            Ok(())
        }
    }
}

impl Manifest {
    /// Refuses a manifest that is not for this device, or older than what it has.
    ///
    /// Dependencies are not looked at: only the caller knows the other parts.
    pub fn suits(&self, device: &Target<'_>) -> Result<(), ManifestError> {
        let claims = Claims {
            product: self.product.as_str().as_bytes(),
            chip: self.chip.name().as_bytes(),
            min_revision: self.min_revision,
            max_revision: self.max_revision,
            size_bytes: self.size_bytes,
            sequence: self.sequence,
            security_counter: self.security_counter,
        };
        device.check(&claims).map_err(|unsuitable| self.unsuitable(device, unsuitable))
    }

    fn unsuitable(&self, device: &Target<'_>, unsuitable: Unsuitable) -> ManifestError {
        match unsuitable {
            Unsuitable::Product => {
                let (found, expected) = (self.product.clone(), device.product.clone());
                ManifestError::WrongProduct { found, expected }
            }
            Unsuitable::Chip => {
                ManifestError::WrongChip { found: self.chip, expected: device.chip }
            }
            Unsuitable::Revision => ManifestError::WrongRevision {
                revision: device.revision.unwrap_or_default(),
                min: self.min_revision,
                max: self.max_revision,
            },
            Unsuitable::TooLarge => {
                let (size_bytes, slot_bytes) = (self.size_bytes, device.slot_bytes);
                ManifestError::ImageTooLarge { size_bytes, slot_bytes }
            }
            Unsuitable::Sequence => {
                let (found, expected) = (self.sequence, device.sequence);
                ManifestError::SequenceOlder { found, expected }
            }
            Unsuitable::SecurityCounter => {
                let (found, expected) = (self.security_counter, device.security_counter);
                ManifestError::SecurityCounterOlder { found, expected }
            }
        }
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
