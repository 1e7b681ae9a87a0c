//! Reading root documents where they lie.

use super::{DOCUMENT_TYPE, MAX_BYTES, RootDocument, field};
use crate::cose::Envelope;
use crate::distrust::{Distrust, ended};
use crate::fields::{Expected, FieldError, Fields, Kind, Rule};
use crate::key::{KeyId, PublicKey};

const RULES: [Rule; 8] = [
    Rule::required(field::NUMBER, Kind::Unsigned),
    Rule::required(field::ROOT_KEYS, Kind::Keys),
    Rule::optional(field::ROOT_THRESHOLD, Kind::Threshold),
    Rule::required(field::RELEASE_KEYS, Kind::Keys),
    Rule::optional(field::SERVER_KEY, Kind::Key),
    Rule::optional(field::EXPIRES_AT, Kind::Time),
    Rule::optional(field::CRITICAL, Kind::Critical),
    Rule::optional(field::REVOKED, Kind::KeyIds),
];

/// What a root document says, to whoever holds another document against it.
pub trait Root {
    /// Its number.
    fn number(&self) -> u64;
    /// The keys that may sign the next root document.
    fn root_keys(&self) -> impl Iterator<Item = PublicKey>
    where
        Self: Sized;
    /// The keys that may sign manifests.
    fn release_keys(&self) -> impl Iterator<Item = PublicKey>
    where
        Self: Sized;
    /// The key of server-made statements.
    fn server_key(&self) -> Option<PublicKey>;
    /// When its time is over; seconds since 1970.
    fn expires_at(&self) -> Option<i64>;
    /// Whether it says that a key must never count again.
    fn revokes(&self, key_id: KeyId) -> bool;
}

/// Refuses a root document whose time is over; `None` is a clock that is not set.
pub(crate) fn check_expiry(root: &impl Root, now: Option<i64>) -> Result<(), Distrust> {
    match ended(root.expires_at(), now) {
        Some((expires_at, now)) => Err(Distrust::RootExpired { expires_at, now }),
        None => Ok(()),
    }
}

/// A root document as its bytes: for devices that have no heap to copy it to.
///
/// [`RootDocument`] is the same taken out of its bytes.
pub struct RootView<'b> {
    fields: Fields<'b>,
}

impl<'b> RootView<'b> {
    /// Reads a document that any of `trusted` signed. Expiry is not looked at: only the newest
    /// document's counts, which [`ManifestView::verify`](crate::ManifestView::verify) looks at.
    pub fn verify(
        bytes: &'b [u8],
        trusted: impl IntoIterator<Item = PublicKey>,
    ) -> Result<RootView<'b>, Distrust> {
        let envelope = Envelope::signed_by(bytes, DOCUMENT_TYPE, MAX_BYTES, trusted)?;
        RootView::read(envelope.payload)
    }

    /// Reads the document that follows `root`.
    pub fn verify_next(bytes: &'b [u8], root: &impl Root) -> Result<RootView<'b>, Distrust> {
        let next = RootView::verify(bytes, root.root_keys())?;
        let (found, expected) = (next.number(), root.number().saturating_add(1));
        match found == expected {
            true => Ok(next),
            false => Err(Distrust::Number { found, expected }),
        }
    }

    /// Reads a document that was verified before and kept since. No signature is looked at.
    pub fn read_trusted(bytes: &'b [u8]) -> Result<RootView<'b>, Distrust> {
        RootView::read(Envelope::open(bytes, DOCUMENT_TYPE).map_err(Distrust::Cose)?.payload)
    }

    fn read(payload: &'b [u8]) -> Result<RootView<'b>, Distrust> {
        let fields = Fields::read(payload, &RULES).map_err(Distrust::Field)?;
        check_roles(&fields).map_err(Distrust::Field)?;
        Ok(RootView { fields })
    }

    /// Keys that must never count again.
    pub fn revoked(&self) -> impl Iterator<Item = KeyId> {
        revoked(&self.fields)
    }

    /// The same, taken out of its bytes.
    pub fn to_document(&self) -> RootDocument {
        RootDocument {
            number: self.number(),
            root_keys: self.root_keys().collect(),
            release_keys: self.release_keys().collect(),
            server_key: self.server_key(),
            expires_at: self.expires_at(),
            revoked: self.revoked().collect(),
        }
    }
}

impl Root for RootView<'_> {
    fn number(&self) -> u64 {
        self.fields.number(field::NUMBER)
    }

    fn root_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.fields.keys(field::ROOT_KEYS).filter_map(|key| key.key())
    }

    fn release_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.fields.keys(field::RELEASE_KEYS).filter_map(|key| key.key())
    }

    fn server_key(&self) -> Option<PublicKey> {
        self.fields.keys(field::SERVER_KEY).find_map(|key| key.key())
    }

    fn expires_at(&self) -> Option<i64> {
        self.fields.time(field::EXPIRES_AT)
    }

    fn revokes(&self, key_id: KeyId) -> bool {
        self.revoked().any(|revoked| revoked == key_id)
    }
}

fn revoked(fields: &Fields<'_>) -> impl Iterator<Item = KeyId> {
    let items = fields.items(field::REVOKED);
    let ids = (0..fields.number(field::REVOKED)).scan(items, |items, _| items.bytes());
    ids.filter_map(|bytes| bytes.try_into().ok().map(KeyId))
}

/// A key on a server must be good for what servers sign alone, and a revoked one for nothing.
fn check_roles(fields: &Fields<'_>) -> Result<(), FieldError> {
    let refuse = |field: u8, expected| Err(FieldError::Value { field: field.into(), expected });
    for server in fields.keys(field::SERVER_KEY) {
        for list in [field::ROOT_KEYS, field::RELEASE_KEYS] {
            if fields.keys(list).any(|key| key == server) {
                return refuse(field::SERVER_KEY, Expected::OneRole);
            }
        }
    }
    for list in [field::ROOT_KEYS, field::RELEASE_KEYS, field::SERVER_KEY] {
        for key in fields.keys(list) {
            let key_id = key.id();
            if revoked(fields).any(|revoked| revoked == key_id) {
                return refuse(field::REVOKED, Expected::UnnamedKeys);
            }
        }
    }
    Ok(())
}
