//! The key that signs, here or somewhere else.

use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};

use crate::KeyCommand;
use crate::outside::OutsideKey;
use crate::sealed::Passphrase;

/// Where the authority's key is.
#[derive(Clone)]
pub(crate) enum KeyPlace {
    /// In `ca.key`, under a passphrase if there is one.
    File(Option<Passphrase>),
    /// Where this command reaches it.
    Outside(KeyCommand),
}

/// The authority's key.
pub(crate) enum AuthorityKey {
    /// Its secret is here.
    Held(KeyPair),
    /// A command signs with it.
    Outside(OutsideKey),
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            AuthorityKey::Held(key) => key.der_bytes(),
            AuthorityKey::Outside(key) => key.der_bytes(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            AuthorityKey::Held(key) => key.algorithm(),
            AuthorityKey::Outside(key) => key.algorithm(),
        }
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self {
            AuthorityKey::Held(key) => SigningKey::sign(key, message),
            AuthorityKey::Outside(key) => key.sign(message),
        }
    }
}
