//! Reading orders where they lie.

use otaru_wire::{ProductName, ReleaseVersion, ThingName, UpdateId};

use super::{DOCUMENT_TYPE, Order, OrderAsked, OrderError, Said, field};
use crate::cose::Envelope;
use crate::distrust::Distrust;
use crate::fields::{self, Fields, Kind, Rule};
use crate::root::Root;

const RULES: [Rule; 10] = [
    Rule::required(field::THING, Kind::Thing),
    Rule::required(field::PRODUCT, Kind::Product),
    Rule::required(field::VERSION, Kind::Version),
    Rule::required(field::SHA256, Kind::Digest),
    Rule::required(field::NONCE, Kind::Nonce),
    Rule::optional(field::UPDATE, Kind::Update),
    Rule::required(field::ISSUED_AT, Kind::Time),
    Rule::required(field::EXPIRES_AT, Kind::Time),
    Rule::optional(field::DOWNGRADE, Kind::Flag),
    Rule::optional(field::CRITICAL, Kind::Critical),
];

/// An order as its bytes: for devices that have no heap to copy it to.
///
/// [`Order`] is the same taken out of its bytes.
pub struct OrderView<'b> {
    fields: Fields<'b>,
}

impl<'b> OrderView<'b> {
    /// Reads an order that the server key of `root` signed, whoever it is for.
    pub fn verify(bytes: &'b [u8], root: &impl Root) -> Result<OrderView<'b>, Distrust> {
        let envelope =
            Envelope::signed_by(bytes, DOCUMENT_TYPE, Order::MAX_BYTES, root.server_key())?;
        let fields = Fields::read(envelope.payload, &RULES).map_err(Distrust::Field)?;
        Ok(OrderView { fields })
    }

    /// Refuses an order that does not answer this question; see [`Order::answers`].
    pub fn answers(&self, asked: &OrderAsked<'_>) -> Result<(), OrderError> {
        let update = self.fields.bytes(field::UPDATE);
        asked.check(&Said {
            thing: self.fields.bytes(field::THING),
            product: self.fields.bytes(field::PRODUCT),
            version: self.fields.bytes(field::VERSION),
            sha256: self.fields.bytes(field::SHA256),
            nonce: self.fields.bytes(field::NONCE),
            update: (!update.is_empty()).then_some(update),
            is_downgrade: self.fields.flag(field::DOWNGRADE),
        })
    }

    /// The same, taken out of its bytes.
    pub fn to_order(&self) -> Option<Order> {
        let text = |field| self.fields.bytes(field);
        let update = match text(field::UPDATE) {
            [] => None,
            update => Some(fields::text(update, UpdateId::parse)?),
        };
        Some(Order {
            thing: fields::text(text(field::THING), ThingName::parse)?,
            product: fields::text(text(field::PRODUCT), ProductName::parse)?,
            version: fields::text(text(field::VERSION), ReleaseVersion::parse)?,
            sha256: self.fields.digest(field::SHA256),
            nonce: text(field::NONCE).try_into().ok()?,
            update,
            issued_at: self.fields.time(field::ISSUED_AT)?,
            expires_at: self.fields.time(field::EXPIRES_AT)?,
            is_downgrade: self.fields.flag(field::DOWNGRADE),
        })
    }
}
