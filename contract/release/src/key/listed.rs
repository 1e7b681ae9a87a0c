use super::{Algorithm, KeyId, PublicKey, Verifier};
use crate::reader::Reader;

/// A key as a document lists it.
#[derive(PartialEq, Eq)]
pub(crate) struct ListedKey<'b> {
    pub(crate) algorithm: Algorithm,
    pub(crate) bytes: &'b [u8],
}

impl ListedKey<'_> {
    pub(crate) fn is_usable(&self) -> bool {
        PublicKey::of(self.algorithm, self.bytes).is_ok()
    }

    pub(crate) fn id(&self) -> KeyId {
        KeyId::of(self.bytes)
    }

    /// The key, which was found usable when the document was read.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        Verifier::read_again(self.algorithm, self.bytes).map(PublicKey)
    }
}

/// The keys of a list that was found good when the document was read.
pub(crate) struct ListedKeys<'b> {
    pub(crate) remaining: u64,
    pub(crate) reader: Reader<'b>,
}

impl<'b> Iterator for ListedKeys<'b> {
    type Item = ListedKey<'b>;

    fn next(&mut self) -> Option<ListedKey<'b>> {
        while self.remaining > 0 {
            self.remaining -= 1;
            self.reader.array()?;
            match Algorithm::from_cose_number(self.reader.int()?) {
                Some(algorithm) => {
                    return Some(ListedKey { algorithm, bytes: self.reader.bytes()? });
                }
                None => self.reader.skip()?,
            }
        }
        None
    }
}
