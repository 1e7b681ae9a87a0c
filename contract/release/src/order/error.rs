use core::fmt;

use otaru_wire::Reason;

use crate::cose::CoseError;
use crate::distrust::Distrust;
use crate::fields::FieldError;
use crate::key::KeyId;

/// Why an order is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// More bytes than any order has.
    TooLarge {
        /// Bytes found.
        size_bytes: usize,
    },
    /// Not a signed order.
    Cose(CoseError),
    /// A signed order with wrong contents.
    Field(FieldError),
    /// The root names no such server key, or the signature is not that key's.
    Untrusted {
        /// The signing key, as the order names it.
        key_id: KeyId,
    },
    /// It answers another question.
    Foreign(Foreign),
    /// The manifest is a downgrade, and no operator asked for one.
    DowngradeNotAsked,
}

/// In what an order differs from what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// For another device.
    Thing,
    /// For another product.
    Product,
    /// About another release.
    Version,
    /// About another image.
    Image,
    /// With another random number: it answered somebody else, or was used before.
    Nonce,
    /// Part of another update.
    Update,
}

impl From<Distrust> for OrderError {
    fn from(distrust: Distrust) -> OrderError {
        match distrust {
            Distrust::TooLarge { size_bytes } => OrderError::TooLarge { size_bytes },
            Distrust::Cose(error) => OrderError::Cose(error),
            Distrust::Field(error) => OrderError::Field(error),
            Distrust::Key(key_id) | Distrust::Revoked(key_id) | Distrust::Signature(key_id) => {
                OrderError::Untrusted { key_id }
            }
            // Nobody asks an order for these.
            Distrust::Number { .. } | Distrust::RootExpired { .. } | Distrust::Expired { .. } => {
                OrderError::Field(FieldError::NotFields)
            }
        }
    }
}

impl OrderError {
    /// The number a device reports.
    pub fn reason(&self) -> Reason {
        match self {
            OrderError::TooLarge { .. }
            | OrderError::Cose(_)
            | OrderError::Field(_)
            | OrderError::Untrusted { .. } => Reason::OrderUntrusted,
            OrderError::Foreign(_) => Reason::OrderForeign,
            OrderError::DowngradeNotAsked => Reason::DowngradeNotAsked,
        }
    }
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrderError::TooLarge { size_bytes } => write!(f, "{size_bytes} bytes"),
            OrderError::Cose(error) => error.fmt(f),
            OrderError::Field(error) => error.fmt(f),
            OrderError::Untrusted { key_id } => {
                write!(f, "a signature of {key_id}, which is not the server key's")
            }
            OrderError::Foreign(foreign) => foreign.fmt(f),
            OrderError::DowngradeNotAsked => f.write_str("a downgrade no operator asked for"),
        }
    }
}

impl core::error::Error for OrderError {}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Thing => "an order for another device",
            Foreign::Product => "an order for another product",
            Foreign::Version => "an order for another release",
            Foreign::Image => "an order for another image",
            Foreign::Nonce => "an order that answers another question",
            Foreign::Update => "an order of another update",
        })
    }
}
