//! What a release consists of: the firmware image, the signed manifest that
//! describes it, and the root document that says whose signature counts. Beside
//! them, what a server signs: timestamps and orders; and patches, which nobody signs.
//!
//! Formats only: bytes in, checked facts or a typed refusal out. Nothing here
//! does I/O or reads a clock, and no bytes from outside can make it panic.
//!
//! Start at [`Image::parse`], [`Manifest::verify`], [`RootDocument`] and
//! [`patch`]; a device without a heap at [`RootView`]. The formats are written down in `docs/formats.md` and `docs/patches.md`.
#![no_std]

extern crate alloc;

mod canonical;
mod causes;
mod cose;
mod distrust;
mod fields;
mod image;
mod key;
mod manifest;
mod order;
pub mod patch;
mod reader;
mod root;
mod timestamp;

pub use canonical::{NotCanonical, Problem};
pub use cose::{CoseError, Shape};
#[cfg(feature = "sign")]
pub use cose::{Unsigned, WrongSignature};
pub use distrust::Distrust;
pub use fields::{Expected, FieldError};
pub use image::{
    AppDescriptor, Behaviour, Chip, DescriptorView, Image, ImageBuilder, ImageError, ImageFacts,
    ImageHead, OtherChip, UnknownChip,
};
#[cfg(feature = "sign")]
pub use key::SecretKey;
pub use key::{
    Algorithm, KeyBytes, KeyError, KeyId, PrivateKeyKind, PublicKey, SIGNATURE_BYTES,
    find_private_key,
};
pub use manifest::{
    CHUNK_BYTES, Dependency, Manifest, ManifestError, ManifestView, Mismatch, Revisions, Target,
    Unsuitable, chunk_hashes,
};
pub use order::{ForeignOrder, NONCE_BYTES, Order, OrderAsked, OrderError, OrderView};
pub use root::{Root, RootDocument, RootError, RootView};
pub use timestamp::{Timestamp, TimestampError};
