//! What a release consists of: the firmware image, the signed manifest that
//! describes it, and the root document that says whose signature counts.
//!
//! Formats only: bytes in, checked facts or a typed refusal out. Nothing here
//! does I/O or reads a clock, and no bytes from outside can make it panic.
//!
//! Start at [`Image::parse`], [`Manifest::verify`] and [`RootDocument`]. The
//! formats are written down in `docs/formats.md`.
#![no_std]

extern crate alloc;

mod canonical;
mod cose;
mod fields;
mod image;
mod key;
mod manifest;
mod root;

pub use canonical::NotCanonical;
pub use cose::CoseError;
pub use fields::FieldError;
pub use image::{
    AppDescriptor, Behaviour, Chip, Foreign, Image, ImageBuilder, ImageError, ImageFacts,
    ImageHead, UnknownChip,
};
pub use key::{KeyError, KeyId, PublicKey, SecretKey};
pub use manifest::{
    CHUNK_BYTES, Dependency, Manifest, ManifestError, Mismatch, Target, chunk_hashes,
};
pub use root::{RootDocument, RootError};
