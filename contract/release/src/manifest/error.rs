use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use otaru_wire::{Digest, ProductName, Reason, ReleaseVersion};

use super::MAX_BYTES;
use crate::cose::CoseError;
use crate::fields::FieldError;
use crate::image::{Chip, ImageError};
use crate::key::KeyId;
use crate::root::RootError;

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
}

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
        }
    }

    /// The number a device reports.
    pub fn reason(&self) -> Reason {
        use ManifestError::*;
        match self {
            TooLarge { .. } | Cose(_) | Field(_) => Reason::ManifestInvalid,
            UntrustedKey { .. } | Signature { .. } => Reason::ManifestUntrusted,
            RevokedKey { .. } => Reason::KeyRevoked,
            Root(error) => error.reason(),
            Expired { .. } => Reason::ManifestExpired,
            WrongProduct { .. } => Reason::WrongProduct,
            WrongChip { .. } | WrongRevision { .. } => Reason::WrongChip,
            ImageTooLarge { .. } => Reason::ImageTooLarge,
            SequenceOlder { .. } => Reason::SequenceOlder,
            SecurityCounterOlder { .. } => Reason::SecurityCounterOlder,
            WrongVersion { .. } => Reason::WrongVersion,
            Mismatch(_) => Reason::DigestMismatch,
        }
    }

    /// What was found, for people.
    pub fn found(&self) -> String {
        self.told().0
    }

    /// What it should have been, for people.
    pub fn expected(&self) -> String {
        self.told().1
    }

    /// What was found and what was expected.
    fn told(&self) -> (String, String) {
        use ManifestError::*;
        let a_manifest = || "a signed manifest".to_string();
        match self {
            TooLarge { size_bytes } => {
                (format!("{size_bytes} bytes"), format!("at most {MAX_BYTES} bytes"))
            }
            Cose(error) => (error.to_string(), a_manifest()),
            Field(error) => (error.to_string(), a_manifest()),
            UntrustedKey { key_id, root_number } => (
                format!("a signature of key {key_id}"),
                format!("a signature of a release key of root document {root_number}"),
            ),
            RevokedKey { key_id, root_number } => (
                format!("a signature of key {key_id}, which root document {root_number} revokes"),
                "a signature of a release key that counts".to_string(),
            ),
            Signature { key_id } => (
                format!("a wrong signature of key {key_id}"),
                "that key's signature over this manifest".to_string(),
            ),
            Root(error) => (error.found(), error.expected()),
            Expired { expires_at, now } => (
                format!("a manifest that expired at {expires_at}"),
                format!("one that is valid at {now}"),
            ),
            WrongProduct { found, expected } => (
                format!("a manifest for product {found}"),
                format!("a manifest for product {expected}"),
            ),
            WrongChip { found, expected } => {
                told(&ImageError::WrongChip { found: *found, expected: *expected })
            }
            WrongRevision { revision, min, max } => {
                told(&ImageError::WrongRevision { revision: *revision, min: *min, max: *max })
            }
            ImageTooLarge { size_bytes, slot_bytes } => {
                told(&ImageError::TooLarge { size_bytes: *size_bytes, slot_bytes: *slot_bytes })
            }
            SequenceOlder { found, expected } => {
                (format!("sequence {found}"), format!("sequence {expected} or above"))
            }
            SecurityCounterOlder { found, expected } => (
                format!("security counter {found}"),
                format!("security counter {expected} or above"),
            ),
            WrongVersion { found, found_sha256, expected, expected_sha256 } => (
                format!("version {found} ({found_sha256})"),
                match expected_sha256 {
                    Some(sha256) => format!("version {expected} ({sha256})"),
                    None => format!("version {expected}"),
                },
            ),
            Mismatch(mismatch) => mismatch.told(),
        }
    }
}

fn told(error: &ImageError) -> (String, String) {
    (error.found(), error.expected())
}

impl Mismatch {
    fn told(&self) -> (String, String) {
        match self {
            Mismatch::Sha256 { found, expected } => (
                format!("a manifest for image {found}"),
                format!("a manifest for image {expected}"),
            ),
            Mismatch::Size { found, expected } => (
                format!("a manifest for an image of {found} bytes"),
                format!("a manifest for an image of {expected} bytes"),
            ),
            Mismatch::Chip { found, expected } => (
                format!("a manifest for {}", found.marketing_name()),
                format!("a manifest for {}", expected.marketing_name()),
            ),
            Mismatch::Chunk { chunk } => (
                format!("another digest for chunk {chunk}"),
                "the digest of the image's own bytes".to_string(),
            ),
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
