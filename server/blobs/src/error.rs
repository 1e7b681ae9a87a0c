//! What can go wrong with a stored image.

use std::io::ErrorKind;

use otaru_wire::Digest;

/// Why an image could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Nothing is stored under this digest.
    #[error("no image is stored under sha256 {0}")]
    NotFound(Digest),
    /// The stored bytes are not the ones their name promises.
    #[error("the image stored under sha256 {expected} hashes to {found}")]
    Corrupt {
        /// The digest the bytes were stored under.
        expected: Digest,
        /// The digest of what was read.
        found: Digest,
    },
    /// The range asked for does not lie within the image.
    #[error("bytes {start}..{end} do not lie within an image of {len_bytes} bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// How long the image is.
        len_bytes: u64,
    },
    /// An upload is not all there yet.
    #[error("{received_bytes} of {len_bytes} bytes of upload {upload} are stored")]
    Incomplete {
        /// The upload.
        upload: String,
        /// Bytes there are from its beginning.
        received_bytes: u64,
        /// Bytes it has in all.
        len_bytes: u64,
    },
    /// The setting that says where images are kept cannot be used.
    #[error("cannot keep images at {location}: {why}")]
    Location {
        /// The directory or URL as configured.
        location: String,
        /// What is wrong with it.
        why: String,
    },
    /// The directory of the images cannot be prepared.
    #[error("cannot prepare the image directory {directory}")]
    Directory {
        /// The directory.
        directory: String,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// The disk or the object store failed.
    #[error("the image store failed")]
    Store(#[from] object_store::Error),
}

impl BlobError {
    /// Whether there was no room left.
    pub fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}
