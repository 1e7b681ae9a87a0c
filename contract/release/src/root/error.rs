use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use otaru_wire::Reason;

use super::MAX_BYTES;
use crate::cose::CoseError;
use crate::distrust::Distrust;
use crate::fields::FieldError;
use crate::key::KeyId;

/// Why a root document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootError {
    /// More bytes than any root document has.
    TooLarge {
        /// Bytes found.
        size_bytes: usize,
    },
    /// Not a signed root document.
    Cose(CoseError),
    /// A signed root document with wrong contents.
    Field(FieldError),
    /// Signed by a key that is not trusted: the root of somebody else.
    UntrustedKey {
        /// The signing key, as the document names it.
        key_id: KeyId,
    },
    /// The signature is not that key's over these bytes.
    Signature {
        /// The signing key, as the document names it.
        key_id: KeyId,
    },
    /// Not the document that follows.
    Number {
        /// The document's number.
        found: u64,
        /// The number that follows.
        expected: u64,
    },
    /// Its time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        expires_at: i64,
        /// The time now, in seconds since 1970.
        now: i64,
    },
}

impl RootError {
    /// The stable code a client may match on.
    pub fn code(&self) -> &'static str {
        match self {
            RootError::TooLarge { .. }
            | RootError::Cose(_)
            | RootError::Field(_)
            | RootError::Signature { .. } => "root_invalid",
            RootError::UntrustedKey { .. } => "root_foreign",
            RootError::Number { .. } => "root_number",
            RootError::Expired { .. } => "root_expired",
        }
    }

    /// The number a device reports.
    pub fn reason(&self) -> Reason {
        match self {
            RootError::TooLarge { .. }
            | RootError::Cose(_)
            | RootError::Field(_)
            | RootError::Signature { .. }
            | RootError::Number { .. } => Reason::RootInvalid,
            RootError::UntrustedKey { .. } => Reason::RootForeign,
            RootError::Expired { .. } => Reason::RootExpired,
        }
    }

    /// What was found, for people.
    pub fn found(&self) -> String {
        match self {
            RootError::TooLarge { size_bytes } => format!("{size_bytes} bytes"),
            RootError::Cose(error) => error.to_string(),
            RootError::Field(error) => error.to_string(),
            RootError::UntrustedKey { key_id } => format!("a signature of key {key_id}"),
            RootError::Signature { key_id } => format!("a wrong signature of key {key_id}"),
            RootError::Number { found, .. } => format!("root document {found}"),
            RootError::Expired { expires_at, .. } => {
                format!("a root document that expired at {expires_at}")
            }
        }
    }

    /// What it should have been, for people.
    pub fn expected(&self) -> String {
        match self {
            RootError::TooLarge { .. } => format!("at most {MAX_BYTES} bytes"),
            RootError::Cose(_) | RootError::Field(_) => "a signed root document".to_string(),
            RootError::UntrustedKey { .. } => "a signature of a trusted root key".to_string(),
            RootError::Signature { .. } => "that key's signature over this document".to_string(),
            RootError::Number { expected, .. } => format!("root document {expected}"),
            RootError::Expired { now, .. } => format!("one that is valid at {now}"),
        }
    }
}

impl From<Distrust> for RootError {
    fn from(distrust: Distrust) -> RootError {
        match distrust {
            Distrust::TooLarge { size_bytes } => RootError::TooLarge { size_bytes },
            Distrust::Cose(error) => RootError::Cose(error),
            Distrust::Field(error) => RootError::Field(error),
            Distrust::Key(key_id) | Distrust::Revoked(key_id) => RootError::UntrustedKey { key_id },
            Distrust::Signature(key_id) => RootError::Signature { key_id },
            Distrust::Number { found, expected } => RootError::Number { found, expected },
            Distrust::RootExpired { expires_at, now } | Distrust::Expired { expires_at, now } => {
                RootError::Expired { expires_at, now }
            }
        }
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {}, expected {}", self.found(), self.expected())
    }
}

impl core::error::Error for RootError {}
