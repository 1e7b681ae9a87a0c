//! The order: a server's word that one device shall install one image now.
//!
//! It answers a question of that device alone, with the random number the device
//! asked with, so neither another device's order nor an old one serves a second time.
//! It makes no release good: that is the manifest's part.

mod error;

#[cfg(feature = "sign")]
use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};

#[cfg(feature = "sign")]
use crate::cose;
use crate::cose::{Distrust, Envelope};
use crate::fields::{Expected, Fields, read_document};
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
#[cfg(feature = "sign")]
use crate::key::SecretKey;
use crate::root::RootDocument;

pub use error::{Foreign as ForeignOrder, OrderError};

const DOCUMENT_TYPE: &str = "application/vnd.otaru.order";

/// Bytes of the random number a device asks with.
pub const NONCE_BYTES: usize = 16;

/// Field numbers; see `docs/formats.md`. Append only.
mod field {
    pub(super) const THING: u64 = 2;
    pub(super) const PRODUCT: u64 = 3;
    pub(super) const VERSION: u64 = 4;
    pub(super) const SHA256: u64 = 5;
    pub(super) const NONCE: u64 = 6;
    pub(super) const UPDATE: u64 = 7;
    pub(super) const ISSUED_AT: u64 = 8;
    pub(super) const EXPIRES_AT: u64 = 9;
    pub(super) const DOWNGRADE: u64 = 10;
    pub(super) const CRITICAL: u64 = 11;
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
    /// The release its manifest names.
    pub version: &'a ReleaseVersion,
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
            encoder.map(8 + optional)?.u64(FORMAT)?.u64(FORMAT_VERSION)?;
            encoder.u64(field::THING)?.str(self.thing.as_str())?;
            encoder.u64(field::PRODUCT)?.str(self.product.as_str())?;
            encoder.u64(field::VERSION)?.str(self.version.as_str())?;
            encoder.u64(field::SHA256)?.bytes(self.sha256.as_bytes())?;
            encoder.u64(field::NONCE)?.bytes(&self.nonce)?;
            if let Some(update) = &self.update {
                encoder.u64(field::UPDATE)?.str(update.as_str())?;
            }
            encoder.u64(field::ISSUED_AT)?.i64(self.issued_at)?;
            encoder.u64(field::EXPIRES_AT)?.i64(self.expires_at)?;
            if self.is_downgrade {
                encoder.u64(field::DOWNGRADE)?.bool(true)?;
            }
            Ok(())
        });
        cose::sign(&payload, DOCUMENT_TYPE, key)
    }

    /// Reads an order that the server key of `root` signed, whoever it is for.
    pub fn verify(bytes: &[u8], root: &RootDocument) -> Result<Order, OrderError> {
        let keys = root.server_key.as_slice();
        let envelope = Envelope::signed_by(bytes, DOCUMENT_TYPE, Order::MAX_BYTES, keys);
        let envelope = envelope.map_err(|distrust| match distrust {
            Distrust::TooLarge { size_bytes } => OrderError::TooLarge { size_bytes },
            Distrust::Cose(error) => OrderError::Cose(error),
            Distrust::Key(key_id) | Distrust::Signature(key_id) => OrderError::Untrusted { key_id },
        })?;
        read_document(envelope.payload, &REQUIRED, gather).map_err(OrderError::Field)
    }

    /// Refuses an order that does not answer this question.
    ///
    /// No clock is asked: the random number says that the order was made after it was, and a
    /// device whose clock is wrong, either way, must still be able to take the release that
    /// sets it right.
    pub fn answers(&self, asked: &OrderAsked<'_>) -> Result<(), OrderError> {
        let differs = [
            (self.thing != *asked.thing, ForeignOrder::Thing),
            (self.product != *asked.product, ForeignOrder::Product),
            (self.version != *asked.version, ForeignOrder::Version),
            (self.sha256 != *asked.sha256, ForeignOrder::Image),
            (self.nonce != *asked.nonce, ForeignOrder::Nonce),
            (asked.update.is_some() && self.update.as_ref() != asked.update, ForeignOrder::Update),
        ];
        if let Some((_, foreign)) = differs.into_iter().find(|(differs, _)| *differs) {
            return Err(OrderError::Foreign(foreign));
        }
        if asked.is_downgrade && !self.is_downgrade {
            return Err(OrderError::DowngradeNotAsked);
        }
        Ok(())
    }
}

const REQUIRED: [u64; 7] = [
    field::THING,
    field::PRODUCT,
    field::VERSION,
    field::SHA256,
    field::NONCE,
    field::ISSUED_AT,
    field::EXPIRES_AT,
];

fn gather(fields: &mut Fields<'_>) -> Option<Order> {
    let (mut thing, mut product, mut version, mut sha256) = (None, None, None, None);
    let (mut nonce, mut update, mut issued_at, mut expires_at) = (None, None, None, None);
    let mut is_downgrade = None;
    while let Some(number) = fields.next() {
        match number {
            field::THING => thing = fields.text(Expected::ThingName, ThingName::parse),
            field::PRODUCT => product = fields.product(),
            field::VERSION => version = fields.version(),
            field::SHA256 => sha256 = fields.digest(),
            field::NONCE => {
                let bytes = fields.bytes().and_then(|bytes| bytes.try_into().ok());
                nonce = fields.value(bytes, Expected::Bytes16);
            }
            field::UPDATE => update = fields.text(Expected::UpdateId, UpdateId::parse),
            field::ISSUED_AT => issued_at = fields.int(),
            field::EXPIRES_AT => expires_at = fields.int(),
            field::DOWNGRADE => is_downgrade = fields.flag(),
            field::CRITICAL => fields.critical(field::CRITICAL),
            _ => fields.skip(),
        }
    }
    Some(Order {
        thing: thing?,
        product: product?,
        version: version?,
        sha256: sha256?,
        nonce: nonce?,
        update,
        issued_at: issued_at?,
        expires_at: expires_at?,
        is_downgrade: is_downgrade.unwrap_or_default(),
    })
}
