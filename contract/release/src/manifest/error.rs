use core::fmt;

use otaru_wire::{Digest, ProductName, Reason, ReleaseVersion};

use super::payload::VERSION;
use crate::cose::CoseError;
use crate::distrust::Distrust;
use crate::fields::FieldError;
use crate::image::Chip;
use crate::key::KeyId;
use crate::root::RootError;

mod words;

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// More bytes than any manifest has.
    TooLarge {
        /// Bytes found.
        size_bytes: usize,
    },
    /// Not a signed manifest.
    Cose(CoseError),
    /// A signed manifest with wrong contents.
    Field(FieldError),
    /// The root names no such release key.
    UntrustedKey {
        /// The signing key, as the manifest names it.
        key_id: KeyId,
        /// The root document that was asked.
        root_number: u64,
    },
    /// The root revoked the key.
    RevokedKey {
        /// The signing key, as the manifest names it.
        key_id: KeyId,
        /// The root document that was asked.
        root_number: u64,
    },
    /// The signature is not that key's over these bytes.
    Signature {
        /// The signing key, as the manifest names it.
        key_id: KeyId,
    },
    /// The root document cannot vouch for anybody.
    Root(RootError),
    /// The manifest's time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        expires_at: i64,
        /// The time now, in seconds since 1970.
        now: i64,
    },
    /// For another product.
    WrongProduct {
        /// The manifest's product.
        found: ProductName,
        /// The device's product.
        expected: ProductName,
    },
    /// For another chip.
    WrongChip {
        /// The manifest's chip.
        found: Chip,
        /// The device's chip.
        expected: Chip,
    },
    /// Not for this revision of the chip (major × 100 + minor).
    WrongRevision {
        /// The device's revision.
        revision: u16,
        /// The lowest the manifest allows.
        min: u16,
        /// The highest the manifest allows, if any.
        max: Option<u16>,
    },
    /// The image does not fit into the slot.
    ImageTooLarge {
        /// Bytes of the image.
        size_bytes: u64,
        /// Bytes of the slot.
        slot_bytes: u64,
    },
    /// Older than the newest release the device took.
    SequenceOlder {
        /// The manifest's sequence number.
        found: u64,
        /// The least acceptable one.
        expected: u64,
    },
    /// Would bring a closed hole back.
    SecurityCounterOlder {
        /// The manifest's counter.
        found: u32,
        /// The least acceptable one.
        expected: u32,
    },
    /// Another release than was asked for.
    WrongVersion {
        /// The manifest's version.
        found: ReleaseVersion,
        /// The manifest's image.
        found_sha256: Digest,
        /// The version asked for.
        expected: ReleaseVersion,
        /// The image asked for, if it was said.
        expected_sha256: Option<Digest>,
    },
    /// Describes another image than the one beside it.
    Mismatch(Mismatch),
    /// Its security counter is below the image's own secure version: a device that runs the
    /// image would take releases from before the hole was closed.
    CounterBelowImage {
        /// The manifest's counter.
        found: u32,
        /// The image's secure version.
        expected: u32,
    },
    /// It lets chips of more revisions install the image than the image's header lets run it.
    RevisionsBeyondImage {
        /// The manifest's range.
        found: Revisions,
        /// The image's range.
        expected: Revisions,
    },
    /// Its version is empty; a release is called by it.
    VersionEmpty,
}

/// Lowest and highest chip revision, each major × 100 + minor; `None` is no limit.
pub type Revisions = (u16, Option<u16>);

/// In what a manifest differs from the image beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "found is the manifest's, expected the image's")]
pub enum Mismatch {
    /// The SHA-256.
    Sha256 { found: Digest, expected: Digest },
    /// The length in bytes.
    Size { found: u64, expected: u64 },
    /// The chip.
    Chip { found: Chip, expected: Chip },
    /// The digest of a chunk, counted from 0.
    Chunk { chunk: usize },
}

impl ManifestError {
    /// Why a manifest is not believed under the root document of this number.
    pub fn of(distrust: Distrust, root_number: u64) -> ManifestError {
        match distrust {
            Distrust::TooLarge { size_bytes } => ManifestError::TooLarge { size_bytes },
            Distrust::Cose(error) => ManifestError::Cose(error),
            // The publisher's mistake, and no broken document.
            Distrust::Field(FieldError::Empty { field }) if field == u64::from(VERSION) => {
                ManifestError::VersionEmpty
            }
            Distrust::Field(error) => ManifestError::Field(error),
            Distrust::Key(key_id) => ManifestError::UntrustedKey { key_id, root_number },
            Distrust::Revoked(key_id) => ManifestError::RevokedKey { key_id, root_number },
            Distrust::Signature(key_id) => ManifestError::Signature { key_id },
            Distrust::Expired { expires_at, now } => ManifestError::Expired { expires_at, now },
            Distrust::RootExpired { .. } | Distrust::Number { .. } => {
                ManifestError::Root(distrust.into())
            }
        }
    }

    /// The stable code a client may match on.
    pub fn code(&self) -> &'static str {
        use ManifestError::*;
        match self {
            TooLarge { .. } | Cose(_) | Field(_) => "manifest_invalid",
            UntrustedKey { .. } | Signature { .. } => "manifest_untrusted",
            RevokedKey { .. } => "key_revoked",
            Root(error) => error.code(),
            Expired { .. } => "manifest_expired",
            WrongProduct { .. } => "wrong_product",
            WrongChip { .. } => "wrong_chip",
            WrongRevision { .. } => "wrong_revision",
            ImageTooLarge { .. } => "image_too_large",
            SequenceOlder { .. } => "sequence_older",
            SecurityCounterOlder { .. } => "security_counter_older",
            WrongVersion { .. } => "wrong_version",
            Mismatch(_) => "manifest_mismatch",
            CounterBelowImage { .. } => "manifest_counter_below_image",
            RevisionsBeyondImage { .. } => "manifest_revisions_beyond_image",
            VersionEmpty => "version_empty",
        }
    }

    /// The number a device reports.
    pub fn reason(&self) -> Reason {
        use ManifestError::*;
        match self {
            TooLarge { .. }
            | Cose(_)
            | Field(_)
            | CounterBelowImage { .. }
            | RevisionsBeyondImage { .. }
            | VersionEmpty => Reason::ManifestInvalid,
            UntrustedKey { .. } | Signature { .. } => Reason::ManifestUntrusted,
            RevokedKey { .. } => Reason::KeyRevoked,
            Root(error) => error.reason(),
            Expired { .. } => Reason::ManifestExpired,
            WrongProduct { .. } => Reason::WrongProduct,
            WrongChip { .. } => Reason::WrongChip,
            WrongRevision { .. } => Reason::WrongRevision,
            ImageTooLarge { .. } => Reason::ImageTooLarge,
            SequenceOlder { .. } => Reason::SequenceOlder,
            SecurityCounterOlder { .. } => Reason::SecurityCounterOlder,
            WrongVersion { .. } => Reason::WrongVersion,
            Mismatch(_) => Reason::DigestMismatch,
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, expected) = self.told();
        write!(f, "found {found}, expected {expected}")
    }
}

impl core::error::Error for ManifestError {}
