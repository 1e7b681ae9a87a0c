//! The root document: which keys may sign releases.
//!
//! A device is built with one root public key. Root documents are numbered;
//! number n+1 counts when a root key of number n signed it, so a device walks
//! from the number it has to the newest and every key can be replaced. A root
//! names no product: one may serve several, and each manifest names its own.

mod error;
mod view;

use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "sign")]
use crate::cose::{self, Encoded, Unsigned};
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
#[cfg(feature = "sign")]
use crate::key::SecretKey;
use crate::key::{KeyId, PublicKey};

pub use error::RootError;
pub(crate) use view::check_expiry;
pub use view::{Root, RootView};

/// A device keeps a root in one record of 4000 bytes, behind the 32 of the key it descends from.
const MAX_BYTES: usize = 3968;
const DOCUMENT_TYPE: &str = "application/vnd.otaru.root";

/// Field numbers; see `docs/formats.md`. Append only.
mod field {
    pub(super) const NUMBER: u8 = 2;
    pub(super) const ROOT_KEYS: u8 = 3;
    pub(super) const ROOT_THRESHOLD: u8 = 4;
    pub(super) const RELEASE_KEYS: u8 = 5;
    pub(super) const SERVER_KEY: u8 = 6;
    pub(super) const EXPIRES_AT: u8 = 7;
    pub(super) const CRITICAL: u8 = 8;
    pub(super) const REVOKED: u8 = 9;
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
        Ok(RootView::verify(bytes, trusted.iter().copied())?.to_document())
    }

    /// Reads a document that one of its own root keys signed, such as number 1.
    ///
    /// Proves that the document is whole, not that anybody should trust it: for
    /// the server, which is told by its operator which root a product has.
    pub fn verify_self_signed(bytes: &[u8]) -> Result<RootDocument, RootError> {
        if bytes.len() > MAX_BYTES {
            return Err(RootError::TooLarge { size_bytes: bytes.len() });
        }
        let claimed = RootDocument::read_trusted(bytes)?;
        RootDocument::verify(bytes, &claimed.root_keys)
    }

    /// Reads a document that was verified before and kept since.
    ///
    /// No signature is looked at: the key that signed it may be named by its
    /// predecessor alone.
    pub fn read_trusted(bytes: &[u8]) -> Result<RootDocument, RootError> {
        Ok(RootView::read_trusted(bytes)?.to_document())
    }

    /// Reads the document that follows this one.
    pub fn verify_next(&self, bytes: &[u8]) -> Result<RootDocument, RootError> {
        Ok(RootView::verify_next(bytes, self)?.to_document())
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
        Ok(check_expiry(self, now)?)
    }

    #[cfg(feature = "sign")]
    fn payload(&self) -> Vec<u8> {
        let present =
            [self.server_key.is_some(), self.expires_at.is_some(), !self.revoked.is_empty()];
        let optional = present.into_iter().filter(|&present| present).count() as u64;
        cose::encode(|encoder| {
            encoder.map(4 + optional)?.u8(FORMAT)?.u64(FORMAT_VERSION)?;
            encoder.u8(field::NUMBER)?.u64(self.number)?;
            encoder.u8(field::ROOT_KEYS)?.array(self.root_keys.len() as u64)?;
            self.root_keys.iter().try_for_each(|key| write_key(encoder, key))?;
            encoder.u8(field::RELEASE_KEYS)?.array(self.release_keys.len() as u64)?;
            self.release_keys.iter().try_for_each(|key| write_key(encoder, key))?;
            if let Some(key) = &self.server_key {
                encoder.u8(field::SERVER_KEY)?;
                write_key(encoder, key)?;
            }
            if let Some(expires_at) = self.expires_at {
                encoder.u8(field::EXPIRES_AT)?.i64(expires_at)?;
            }
            if !self.revoked.is_empty() {
                encoder.u8(field::REVOKED)?.array(self.revoked.len() as u64)?;
                for key_id in &self.revoked {
                    encoder.bytes(&key_id.0)?;
                }
            }
            Ok(())
        })
    }
}

impl Root for RootDocument {
    fn number(&self) -> u64 {
        self.number
    }

    fn root_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.root_keys.iter().copied()
    }

    fn release_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.release_keys.iter().copied()
    }

    fn server_key(&self) -> Option<PublicKey> {
        self.server_key
    }

    fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    fn revokes(&self, key_id: KeyId) -> bool {
        self.revoked.contains(&key_id)
    }
}

#[cfg(feature = "sign")]
fn write_key(encoder: &mut minicbor::Encoder<&mut Vec<u8>>, key: &PublicKey) -> Encoded {
    encoder.array(2)?.i64(key.algorithm().cose_number())?.bytes(&key.to_bytes())?.ok()
}
