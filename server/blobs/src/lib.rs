//! Firmware images, stored under their SHA-256 on disk or in S3.
//!
//! [`Blobs::put`] is durable when it returns and a half-written upload is never
//! visible. What is read whole is checked against its name, so a rotten disk is
//! an error here and not a surprise on a device. Hot images stay in a bounded
//! memory cache, from which every range is a slice without a copy.
//!
//! An image that arrives bit by bit is kept in pieces, each as durable as an image,
//! until it is collected.
//!
//! The crate knows nothing about releases, products or who may read what.
//! Start at [`Blobs`].

mod bucket;
mod cache;
mod error;
mod location;
mod pieces;
mod store;

pub use bucket::{Bucket, BucketObject};
pub use error::BlobError;
pub use pieces::Piece;
pub use store::{Blob, Blobs, DEFAULT_CACHE_BYTES, PIECE_BYTES};
