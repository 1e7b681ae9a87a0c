//! The timestamp: what a server says is newest, so that a device notices when nothing
//! new reaches it.
//!
//! The key is on the server, so it proves no release good. Old ones show that
//! somebody between server and device withholds what is new.

#[cfg(feature = "sign")]
use alloc::vec::Vec;
use core::fmt;

use otaru_wire::{ProductName, Reason};

#[cfg(feature = "sign")]
use crate::cose;
use crate::cose::{CoseError, Envelope};
use crate::distrust::Distrust;
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
use crate::fields::{FieldError, Fields, Kind, Rule};
use crate::key::KeyId;
#[cfg(feature = "sign")]
use crate::key::SecretKey;
use crate::root::Root;

const DOCUMENT_TYPE: &str = "application/vnd.otaru.timestamp";

/// How much a device's clock may be behind the server's, in seconds.
const CLOCK_SLACK_S: i64 = 3600;

/// Field numbers; see `docs/formats.md`. Append only.
mod field {
    pub(super) const PRODUCT: u8 = 2;
    pub(super) const SIGNED_AT: u8 = 3;
    pub(super) const EXPIRES_AT: u8 = 4;
    pub(super) const SEQUENCE: u8 = 5;
    pub(super) const ROOT_NUMBER: u8 = 6;
    pub(super) const CRITICAL: u8 = 7;
}

/// What a server key says about a product, for a short time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The product.
    pub product: ProductName,
    /// When it was signed; seconds since 1970.
    pub signed_at: i64,
    /// From then on it is stale; seconds since 1970.
    pub expires_at: i64,
    /// The highest sequence number of the product's published releases; 0 for none.
    ///
    /// Withdrawn ones count, so that it never falls; drafts do not.
    pub sequence: u64,
    /// Number of the product's newest root document.
    pub root_number: u64,
}

/// Why a timestamp is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampError {
    /// More bytes than any timestamp has.
    TooLarge {
        /// Bytes found.
        size_bytes: usize,
    },
    /// Not a signed timestamp.
    Cose(CoseError),
    /// A signed timestamp with wrong contents.
    Field(FieldError),
    /// The root names no such server key, or the signature is not that key's.
    Untrusted {
        /// The signing key, as the timestamp names it.
        key_id: KeyId,
    },
    /// About another product.
    WrongProduct,
    /// Signed in what is the future by a clock that is set.
    Future {
        /// When it says it was signed.
        signed_at: i64,
        /// The time now.
        now: i64,
    },
    /// Too old, or older than one that was seen or than a release that was confirmed.
    Stale {
        /// When it was signed.
        signed_at: i64,
    },
}

impl From<Distrust> for TimestampError {
    fn from(distrust: Distrust) -> TimestampError {
        match distrust {
            Distrust::TooLarge { size_bytes } => TimestampError::TooLarge { size_bytes },
            Distrust::Cose(error) => TimestampError::Cose(error),
            Distrust::Field(error) => TimestampError::Field(error),
            Distrust::Key(key_id) | Distrust::Revoked(key_id) | Distrust::Signature(key_id) => {
                TimestampError::Untrusted { key_id }
            }
            // Nobody asks a timestamp for these.
            Distrust::Number { .. } | Distrust::RootExpired { .. } | Distrust::Expired { .. } => {
                TimestampError::Field(FieldError::NotFields)
            }
        }
    }
}

impl TimestampError {
    /// The number a device reports.
    pub fn reason(&self) -> Reason {
        match self {
            TimestampError::Stale { .. } => Reason::TimestampStale,
            _ => Reason::TimestampUntrusted,
        }
    }
}

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimestampError::TooLarge { size_bytes } => write!(f, "{size_bytes} bytes"),
            TimestampError::Cose(error) => error.fmt(f),
            TimestampError::Field(error) => error.fmt(f),
            TimestampError::Untrusted { key_id } => {
                write!(f, "a signature of {key_id}, which is not the server key's")
            }
            TimestampError::WrongProduct => f.write_str("a timestamp of another product"),
            TimestampError::Future { signed_at, now } => {
                write!(f, "a timestamp of {signed_at}, and it is {now}")
            }
            TimestampError::Stale { signed_at } => write!(f, "a stale timestamp of {signed_at}"),
        }
    }
}

impl core::error::Error for TimestampError {}

impl Timestamp {
    /// Largest timestamp accepted, in bytes of its signed form.
    pub const MAX_BYTES: usize = 512;

    /// The signed timestamp, as it is served.
    #[cfg(feature = "sign")]
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        let payload = cose::encode(|encoder| {
            encoder.map(6)?.u8(FORMAT)?.u64(FORMAT_VERSION)?;
            encoder.u8(field::PRODUCT)?.str(self.product.as_str())?;
            encoder.u8(field::SIGNED_AT)?.i64(self.signed_at)?;
            encoder.u8(field::EXPIRES_AT)?.i64(self.expires_at)?;
            encoder.u8(field::SEQUENCE)?.u64(self.sequence)?;
            encoder.u8(field::ROOT_NUMBER)?.u64(self.root_number)?.ok()
        });
        cose::sign(&payload, DOCUMENT_TYPE, key)
    }

    /// Reads a timestamp of a product that the server key of `root` signed; fresh or not.
    pub fn verify(
        bytes: &[u8],
        root: &impl Root,
        product: &ProductName,
    ) -> Result<Timestamp, TimestampError> {
        let envelope =
            Envelope::signed_by(bytes, DOCUMENT_TYPE, Timestamp::MAX_BYTES, root.server_key());
        let fields = Fields::read(envelope?.payload, &RULES).map_err(Distrust::Field)?;
        if fields.bytes(field::PRODUCT) != product.as_str().as_bytes() {
            return Err(TimestampError::WrongProduct);
        }
        Ok(Timestamp {
            product: product.clone(),
            signed_at: fields.time(field::SIGNED_AT).unwrap_or_default(),
            expires_at: fields.time(field::EXPIRES_AT).unwrap_or_default(),
            sequence: fields.number(field::SEQUENCE),
            root_number: fields.number(field::ROOT_NUMBER),
        })
    }

    /// Refuses one that is too old by a clock that is set (`now`), or older than the newest
    /// seen under the same key; and one from the future, which would make all others look old.
    pub fn check_fresh(
        &self,
        now: Option<i64>,
        seen_at: Option<i64>,
    ) -> Result<(), TimestampError> {
        let signed_at = self.signed_at;
        if let Some(now) = now {
            if signed_at.saturating_sub(CLOCK_SLACK_S) > now {
                return Err(TimestampError::Future { signed_at, now });
            }
            if now >= self.expires_at {
                return Err(TimestampError::Stale { signed_at });
            }
        }
        match seen_at.is_some_and(|seen_at| signed_at < seen_at) {
            true => Err(TimestampError::Stale { signed_at }),
            false => Ok(()),
        }
    }

    /// Refuses one from before the publication of a release that was confirmed here, by its
    /// sequence number: whoever served it hides what came since. It needs no clock.
    ///
    /// Nothing follows from a number above that: the newest release may be of another channel,
    /// or wait for somebody's consent.
    pub fn check_knows(&self, confirmed_sequence: u64) -> Result<(), TimestampError> {
        match self.sequence < confirmed_sequence {
            true => Err(TimestampError::Stale { signed_at: self.signed_at }),
            false => Ok(()),
        }
    }

    /// Refuses one that had ended at a time that has passed: for a device whose clock is not set.
    pub fn check_expiry(&self, passed: i64) -> Result<(), TimestampError> {
        match passed >= self.expires_at {
            true => Err(TimestampError::Stale { signed_at: self.signed_at }),
            false => Ok(()),
        }
    }
}

const RULES: [Rule; 6] = [
    Rule::required(field::PRODUCT, Kind::Product),
    Rule::required(field::SIGNED_AT, Kind::Time),
    Rule::required(field::EXPIRES_AT, Kind::Time),
    Rule::required(field::SEQUENCE, Kind::Unsigned),
    Rule::required(field::ROOT_NUMBER, Kind::Unsigned),
    Rule::optional(field::CRITICAL, Kind::Critical),
];
