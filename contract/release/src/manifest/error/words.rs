//! What a refusal says to people: what was found, and what was expected.

use alloc::format;
use alloc::string::{String, ToString};

use super::{ManifestError, Mismatch, Revisions};
use crate::image::ImageError;
use crate::manifest::MAX_BYTES;

impl ManifestError {
    /// What was found, for people.
    pub fn found(&self) -> String {
        self.told().0
    }

    /// What it should have been, for people.
    pub fn expected(&self) -> String {
        self.told().1
    }

    /// What was found and what was expected.
    pub(super) fn told(&self) -> (String, String) {
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
            CounterBelowImage { found, expected } => (
                format!("security counter {found}"),
                format!("at least {expected}, the image's secure version"),
            ),
            RevisionsBeyondImage { found, expected } => {
                (revisions(*found), format!("none but {}, as the image says", revisions(*expected)))
            }
            VersionEmpty => ("an empty version".to_string(), "1 to 64 characters".to_string()),
        }
    }
}

fn revisions((min, max): Revisions) -> String {
    match max {
        Some(max) => format!("revisions {min} to {max}"),
        None => format!("revisions from {min} on"),
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
