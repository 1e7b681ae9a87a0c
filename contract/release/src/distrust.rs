use core::fmt;

use otaru_wire::Reason;

use crate::cose::CoseError;
use crate::fields::FieldError;
use crate::key::KeyId;

/// Why a document is not believed, whatever its kind.
///
/// The number that a device reports depends on the kind: each has an error of its own, made from
/// this, which says it ([`RootError`](crate::RootError), [`ManifestError::of`](crate::ManifestError::of),
/// [`OrderError`](crate::OrderError), [`TimestampError`](crate::TimestampError)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// More bytes than any document of its kind has.
    TooLarge {
        /// Bytes found.
        size_bytes: usize,
    },
    /// Not a signed document of its kind.
    Cose(CoseError),
    /// A signed document with wrong contents.
    Field(FieldError),
    /// None of the keys has the id that it names.
    Key(KeyId),
    /// The key it names was revoked.
    Revoked(KeyId),
    /// It is not signed by the key it names.
    Signature(KeyId),
    /// A root document other than the one that follows.
    Number {
        /// The document's number.
        found: u64,
        /// The number that follows.
        expected: u64,
    },
    /// The time of the root document is over.
    RootExpired {
        /// When it ended, in seconds since 1970.
        expires_at: i64,
        /// The time now, in seconds since 1970.
        now: i64,
    },
    /// The document's own time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        expires_at: i64,
        /// The time now, in seconds since 1970.
        now: i64,
    },
}

impl Distrust {
    /// The number a device reports of a root document, as [`RootError`](crate::RootError) says it.
    pub fn reason_of_root(&self) -> Reason {
        match self {
            Distrust::Key(_) | Distrust::Revoked(_) => Reason::RootForeign,
            Distrust::RootExpired { .. } | Distrust::Expired { .. } => Reason::RootExpired,
            _ => Reason::RootInvalid,
        }
    }

    /// The number a device reports of a manifest, as [`ManifestError`](crate::ManifestError) says it.
    pub fn reason_of_manifest(&self) -> Reason {
        match self {
            Distrust::Key(_) | Distrust::Signature(_) => Reason::ManifestUntrusted,
            Distrust::Revoked(_) => Reason::KeyRevoked,
            Distrust::Expired { .. } => Reason::ManifestExpired,
            Distrust::RootExpired { .. } | Distrust::Number { .. } => self.reason_of_root(),
            _ => Reason::ManifestInvalid,
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distrust::TooLarge { size_bytes } => write!(f, "{size_bytes} bytes are too many"),
            Distrust::Cose(error) => error.fmt(f),
            Distrust::Field(error) => error.fmt(f),
            Distrust::Key(key_id) => write!(f, "key {key_id} is not trusted"),
            Distrust::Revoked(key_id) => write!(f, "key {key_id} was revoked"),
            Distrust::Signature(key_id) => write!(f, "the signature is not that of key {key_id}"),
            Distrust::Number { found, expected } => {
                write!(f, "root document {found}, expected {expected}")
            }
            Distrust::RootExpired { expires_at, now } => {
                write!(f, "the root document expired at {expires_at}, and it is {now}")
            }
            Distrust::Expired { expires_at, now } => {
                write!(f, "it expired at {expires_at}, and it is {now}")
            }
        }
    }
}

impl core::error::Error for Distrust {}

/// When a document ended, if it did.
pub(crate) fn ended(expires_at: Option<i64>, now: Option<i64>) -> Option<(i64, i64)> {
    expires_at.zip(now).filter(|(expires_at, now)| now >= expires_at)
}
