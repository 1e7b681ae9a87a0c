//! What can go wrong with a stored image.

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
