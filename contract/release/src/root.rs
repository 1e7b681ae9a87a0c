//! The root document: which keys may sign releases.
//!
//! A device is built with one root public key. Root documents are numbered;
//! number n+1 counts when a root key of number n signed it, so a device walks
//! from the number it has to the newest and every key can be replaced. A root
//! names no product: one may serve several, and each manifest names its own.

mod error;

use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "sign")]
use crate::cose::{self, Encoded, Unsigned};
use crate::cose::{Distrust, Envelope};
use crate::fields::{Expected, Fields, read_document};
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
#[cfg(feature = "sign")]
use crate::key::SecretKey;
use crate::key::{Algorithm, KeyId, PublicKey};

pub use error::RootError;

/// A device keeps a root in one record of 4000 bytes, behind the 32 of the key it descends from.
const MAX_BYTES: usize = 3968;
/// Most keys in one list.
const MAX_KEYS: u64 = 8;
/// Most revoked keys in one document.
const MAX_REVOKED: u64 = 64;
const DOCUMENT_TYPE: &str = "application/vnd.otaru.root";

/// Field numbers; see `docs/formats.md`. Append only.
mod field {
    pub(super) const NUMBER: u64 = 2;
    pub(super) const ROOT_KEYS: u64 = 3;
    pub(super) const ROOT_THRESHOLD: u64 = 4;
    pub(super) const RELEASE_KEYS: u64 = 5;
    pub(super) const SERVER_KEY: u64 = 6;
    pub(super) const EXPIRES_AT: u64 = 7;
    pub(super) const CRITICAL: u64 = 8;
    pub(super) const REVOKED: u64 = 9;
    /// The highest number this build understands.
    pub(super) const LAST: u64 = REVOKED;
}

/// Which keys count, as said by a root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootDocument {
    /// Rises by one with every root document; the first is 1.
    pub number: u64,
    /// The keys that may sign the next root document; any one of them suffices.
    pub root_keys: Vec<PublicKey>,
    /// The keys that may sign manifests; any one of them suffices.
    pub release_keys: Vec<PublicKey>,
    /// The key of server-made statements; without it none are required.
    pub server_key: Option<PublicKey>,
    /// From then on this document is too old to trust; seconds since 1970.
    pub expires_at: Option<i64>,
    /// Keys that must never count again; none of them is in the lists above. A key counts
    /// only where it is listed: this one says why it is not.
    pub revoked: Vec<KeyId>,
}

impl RootDocument {
    /// Largest root document accepted, in bytes of its signed form.
    pub const MAX_BYTES: usize = MAX_BYTES;

    /// Root document number 1, without expiry.
    pub fn first(root_key: PublicKey, release_key: PublicKey) -> RootDocument {
        RootDocument {
            number: 1,
            root_keys: vec![root_key],
            release_keys: vec![release_key],
            server_key: None,
            expires_at: None,
            revoked: Vec::new(),
        }
    }

    /// Whether this document names the key, for whatever.
    pub fn names(&self, key_id: KeyId) -> bool {
        let mut keys =
            self.root_keys.iter().chain(&self.release_keys).chain(self.server_key.as_ref());
        keys.any(|key| key.id() == key_id)
    }

    /// The signed document: the bytes of `root.cbor`.
    ///
    /// `key` must be a root key of the document before this one, or of this one if it is the first.
    #[cfg(feature = "sign")]
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        self.unsigned(&key.public_key()).sign(key)
    }

    /// The document as `key` would have to sign it: for keys that are kept elsewhere.
    #[cfg(feature = "sign")]
    pub fn unsigned(&self, key: &PublicKey) -> Unsigned {
        Unsigned::new(self.payload(), DOCUMENT_TYPE, *key)
    }

    /// Reads a document that any of `trusted` signed.
    ///
    /// Expiry is not looked at: only the newest document's counts, see
    /// [`RootDocument::check_expiry`].
    pub fn verify(bytes: &[u8], trusted: &[PublicKey]) -> Result<RootDocument, RootError> {
        let envelope = Envelope::signed_by(bytes, DOCUMENT_TYPE, MAX_BYTES, trusted);
        let envelope = envelope.map_err(|distrust| match distrust {
            Distrust::TooLarge { size_bytes } => RootError::TooLarge { size_bytes },
            Distrust::Cose(error) => RootError::Cose(error),
            Distrust::Key(key_id) => RootError::UntrustedKey { key_id },
            Distrust::Signature(key_id) => RootError::Signature { key_id },
        })?;
        RootDocument::read(envelope.payload)
    }

    /// Reads a document that one of its own root keys signed, such as number 1.
    ///
    /// Proves that the document is whole, not that anybody should trust it: for
    /// the server, which is told by its operator which root a product has.
    pub fn verify_self_signed(bytes: &[u8]) -> Result<RootDocument, RootError> {
        if bytes.len() > MAX_BYTES {
            return Err(RootError::TooLarge { size_bytes: bytes.len() });
        }
        let envelope = Envelope::open(bytes, DOCUMENT_TYPE).map_err(RootError::Cose)?;
        let claimed = RootDocument::read(envelope.payload)?;
        RootDocument::verify(bytes, &claimed.root_keys)
    }

    /// Reads a document that was verified before and kept since.
    ///
    /// No signature is looked at: the key that signed it may be named by its
    /// predecessor alone.
    pub fn read_trusted(bytes: &[u8]) -> Result<RootDocument, RootError> {
        let envelope = Envelope::open(bytes, DOCUMENT_TYPE).map_err(RootError::Cose)?;
        RootDocument::read(envelope.payload)
    }

    /// Reads the document that follows this one.
    pub fn verify_next(&self, bytes: &[u8]) -> Result<RootDocument, RootError> {
        let next = RootDocument::verify(bytes, &self.root_keys)?;
        let expected = self.number.saturating_add(1);
        if next.number != expected {
            return Err(RootError::Number { found: next.number, expected });
        }
        Ok(next)
    }

    /// Follows a chain of documents, each the next after the one before.
    pub fn walk<'a>(
        self,
        documents: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<RootDocument, RootError> {
        documents.into_iter().try_fold(self, |root, bytes| root.verify_next(bytes))
    }

    /// Refuses a document whose time is over; `None` is a clock that is not set.
    pub fn check_expiry(&self, now: Option<i64>) -> Result<(), RootError> {
        match (self.expires_at, now) {
            (Some(expires_at), Some(now)) if now >= expires_at => {
                Err(RootError::Expired { expires_at, now })
            }
            _ => Ok(()),
        }
    }

    #[cfg(feature = "sign")]
    fn payload(&self) -> Vec<u8> {
        let present =
            [self.server_key.is_some(), self.expires_at.is_some(), !self.revoked.is_empty()];
        let optional = present.into_iter().filter(|&present| present).count() as u64;
        cose::encode(|encoder| {
            encoder.map(4 + optional)?.u64(FORMAT)?.u64(FORMAT_VERSION)?;
            encoder.u64(field::NUMBER)?.u64(self.number)?;
            encoder.u64(field::ROOT_KEYS)?.array(self.root_keys.len() as u64)?;
            self.root_keys.iter().try_for_each(|key| write_key(encoder, key))?;
            encoder.u64(field::RELEASE_KEYS)?.array(self.release_keys.len() as u64)?;
            self.release_keys.iter().try_for_each(|key| write_key(encoder, key))?;
            if let Some(key) = &self.server_key {
                encoder.u64(field::SERVER_KEY)?;
                write_key(encoder, key)?;
            }
            if let Some(expires_at) = self.expires_at {
                encoder.u64(field::EXPIRES_AT)?.i64(expires_at)?;
            }
            if !self.revoked.is_empty() {
                encoder.u64(field::REVOKED)?.array(self.revoked.len() as u64)?;
                for key_id in &self.revoked {
                    encoder.bytes(&key_id.0)?;
                }
            }
            Ok(())
        })
    }

    fn read(payload: &[u8]) -> Result<RootDocument, RootError> {
        let required = [field::NUMBER, field::ROOT_KEYS, field::RELEASE_KEYS];
        read_document(payload, &required, RootDocument::gather).map_err(RootError::Field)
    }

    fn gather(fields: &mut Fields<'_>) -> Option<RootDocument> {
        let (mut number, mut root_keys, mut release_keys) = (None, None, None);
        let (mut server_key, mut expires_at, mut revoked) = (None, None, None);
        while let Some(number_of_field) = fields.next() {
            match number_of_field {
                field::NUMBER => number = fields.uint(),
                field::ROOT_KEYS => root_keys = read_keys(fields),
                field::ROOT_THRESHOLD => {
                    let threshold = fields.uint().filter(|&threshold| threshold == 1);
                    fields.value(threshold, Expected::Threshold);
                }
                field::RELEASE_KEYS => release_keys = read_keys(fields),
                field::SERVER_KEY => server_key = read_key(fields),
                field::EXPIRES_AT => expires_at = fields.int(),
                field::CRITICAL => fields.critical(field::LAST),
                field::REVOKED => revoked = fields.list(MAX_REVOKED, read_key_id),
                _ => fields.skip(),
            }
        }
        let root = RootDocument {
            number: number?,
            root_keys: root_keys?,
            release_keys: release_keys?,
            server_key,
            expires_at,
            revoked: revoked.unwrap_or_default(),
        };
        root.check_roles(fields);
        Some(root)
    }

    /// A key on a server must be good for what servers sign alone, and a revoked one for nothing.
    fn check_roles(&self, fields: &mut Fields<'_>) {
        let mut offline = self.root_keys.iter().chain(&self.release_keys);
        if self.server_key.is_some_and(|server| offline.any(|key| *key == server)) {
            fields.refuse(field::SERVER_KEY, Expected::OneRole);
        }
        if self.revoked.iter().any(|&key_id| self.names(key_id)) {
            fields.refuse(field::REVOKED, Expected::UnnamedKeys);
        }
    }
}

#[cfg(feature = "sign")]
fn write_key(encoder: &mut minicbor::Encoder<&mut Vec<u8>>, key: &PublicKey) -> Encoded {
    encoder.array(2)?.i64(key.algorithm().cose_number())?.bytes(&key.to_bytes())?.ok()
}

/// A list in which at least one key is of an algorithm this build knows.
fn read_keys(fields: &mut Fields<'_>) -> Option<Vec<PublicKey>> {
    let keys = fields.list(MAX_KEYS, read_key)?;
    fields.value((!keys.is_empty()).then_some(keys), Expected::KnownKeys)
}

/// A key; `None` too when its algorithm is not known, so that new ones can be introduced.
fn read_key(fields: &mut Fields<'_>) -> Option<PublicKey> {
    fields.pair()?;
    let Some(algorithm) = Algorithm::from_cose_number(fields.int()?) else {
        fields.skip();
        return None;
    };
    let key = PublicKey::of(algorithm, fields.bytes()?).ok();
    fields.value(key, Expected::UsableKeys)
}

fn read_key_id(fields: &mut Fields<'_>) -> Option<KeyId> {
    let bytes = fields.bytes()?.try_into().ok();
    fields.value(bytes.map(KeyId), Expected::KeyIds)
}
