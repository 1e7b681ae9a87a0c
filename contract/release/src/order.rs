//! The order: a server's word that one device shall install one image now.
//!
//! It answers a question of that device alone, with the random number the device
//! asked with, so neither another device's order nor an old one serves a second time.
//! It makes no release good: that is the manifest's part.

mod error;
mod view;

#[cfg(feature = "sign")]
use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};

#[cfg(feature = "sign")]
use crate::cose;
use crate::fields::FieldError;
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
#[cfg(feature = "sign")]
use crate::key::SecretKey;
use crate::root::Root;

pub use error::{Foreign as ForeignOrder, OrderError};
pub use view::OrderView;

const DOCUMENT_TYPE: &str = "application/vnd.otaru.order";

/// Bytes of the random number a device asks with.
pub const NONCE_BYTES: usize = 16;

/// Field numbers; see `docs/formats.md`. Append only.
mod field {
    pub(super) const THING: u8 = 2;
    pub(super) const PRODUCT: u8 = 3;
    pub(super) const VERSION: u8 = 4;
    pub(super) const SHA256: u8 = 5;
    pub(super) const NONCE: u8 = 6;
    pub(super) const UPDATE: u8 = 7;
    pub(super) const ISSUED_AT: u8 = 8;
    pub(super) const EXPIRES_AT: u8 = 9;
    pub(super) const DOWNGRADE: u8 = 10;
    pub(super) const CRITICAL: u8 = 11;
}

/// What a server key says to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The device.
    pub thing: ThingName,
    /// Its product.
    pub product: ProductName,
    /// The release to install.
    pub version: ReleaseVersion,
    /// Its image.
    pub sha256: Digest,
    /// The random number the device asked with.
    pub nonce: [u8; NONCE_BYTES],
    /// The update this is part of, where the server keeps a record of it.
    pub update: Option<UpdateId>,
    /// When it was signed; seconds since 1970.
    pub issued_at: i64,
    /// How long it is meant to be good; seconds since 1970. For whoever keeps orders: the device
    /// that asked knows by its random number that it is fresh.
    pub expires_at: i64,
    /// Whether an operator asked for older software.
    pub is_downgrade: bool,
}

/// What a device asked for, to hold an order against.
#[derive(Clone, Copy, Debug)]
pub struct OrderAsked<'a> {
    /// The device.
    pub thing: &'a ThingName,
    /// Its product.
    pub product: &'a ProductName,
    /// The text of the version its manifest names.
    pub version: &'a [u8],
    /// The image its manifest names.
    pub sha256: &'a Digest,
    /// The random number it asked with.
    pub nonce: &'a [u8; NONCE_BYTES],
    /// The update that the wish named, if it named one.
    pub update: Option<&'a UpdateId>,
    /// Whether the manifest says that older software replaces newer.
    pub is_downgrade: bool,
}

impl Order {
    /// Largest order accepted, in bytes of its signed form.
    pub const MAX_BYTES: usize = 768;

    /// The signed order, as it is served.
    #[cfg(feature = "sign")]
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        let optional = u64::from(self.update.is_some()) + u64::from(self.is_downgrade);
        let payload = cose::encode(|encoder| {
            encoder.map(8 + optional)?.u8(FORMAT)?.u64(FORMAT_VERSION)?;
            encoder.u8(field::THING)?.str(self.thing.as_str())?;
            encoder.u8(field::PRODUCT)?.str(self.product.as_str())?;
            encoder.u8(field::VERSION)?.str(self.version.as_str())?;
            encoder.u8(field::SHA256)?.bytes(self.sha256.as_bytes())?;
            encoder.u8(field::NONCE)?.bytes(&self.nonce)?;
            if let Some(update) = &self.update {
                encoder.u8(field::UPDATE)?.str(update.as_str())?;
            }
            encoder.u8(field::ISSUED_AT)?.i64(self.issued_at)?;
            encoder.u8(field::EXPIRES_AT)?.i64(self.expires_at)?;
            if self.is_downgrade {
                encoder.u8(field::DOWNGRADE)?.bool(true)?;
            }
            Ok(())
        });
        cose::sign(&payload, DOCUMENT_TYPE, key)
    }

    /// Reads an order that the server key of `root` signed, whoever it is for.
    pub fn verify(bytes: &[u8], root: &impl Root) -> Result<Order, OrderError> {
        let order = OrderView::verify(bytes, root)?;
        // Every text was found to be of its type when the order was read.
        order.to_order().ok_or(OrderError::Field(FieldError::NotFields))
    }

    /// Refuses an order that does not answer this question.
    ///
    /// No clock is asked: the random number says that the order was made after it was, and a
    /// device whose clock is wrong, either way, must still be able to take the release that
    /// sets it right.
    pub fn answers(&self, asked: &OrderAsked<'_>) -> Result<(), OrderError> {
        asked.check(&Said {
            thing: self.thing.as_str().as_bytes(),
            product: self.product.as_str().as_bytes(),
            version: self.version.as_str().as_bytes(),
            sha256: self.sha256.as_bytes(),
            nonce: &self.nonce,
            update: self.update.as_ref().map(|update| update.as_str().as_bytes()),
            is_downgrade: self.is_downgrade,
        })
    }
}

/// What an order says.
struct Said<'o> {
    thing: &'o [u8],
    product: &'o [u8],
    version: &'o [u8],
    sha256: &'o [u8],
    nonce: &'o [u8],
    update: Option<&'o [u8]>,
    is_downgrade: bool,
}

impl OrderAsked<'_> {
    fn check(&self, said: &Said<'_>) -> Result<(), OrderError> {
        let update = self.update.map(|update| update.as_str().as_bytes());
        let foreign = if said.thing != self.thing.as_str().as_bytes() {
            ForeignOrder::Thing
        } else if said.product != self.product.as_str().as_bytes() {
            ForeignOrder::Product
        } else if said.version != self.version {
            ForeignOrder::Version
        } else if said.sha256 != self.sha256.as_bytes() {
            ForeignOrder::Image
        } else if said.nonce != self.nonce {
            ForeignOrder::Nonce
        } else if update.is_some() && said.update != update {
            ForeignOrder::Update
        } else if self.is_downgrade && !said.is_downgrade {
            return Err(OrderError::DowngradeNotAsked);
        } else {
            return Ok(());
        };
        Err(OrderError::Foreign(foreign))
    }
}
