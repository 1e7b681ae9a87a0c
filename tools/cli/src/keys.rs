//! Signing keys: made here, kept in files, never sent anywhere.
//!
//! `key new` writes four files. `root.key` belongs on paper or on a stick in a
//! safe; `release.key` with whoever publishes; `root.cbor` goes to the server
//! and `root.pub` into devices.

mod create;
mod drawn;
mod external;
mod file;
mod passphrase;
mod public;

pub use create::{KeySet, NewKeysError};
pub(crate) use create::{NewFile, key_file, write_all, write_new};
pub use drawn::KeySecret;
pub(crate) use external::SigningKeyOptions;
pub(crate) use file::read_public_half;
pub use file::{KeyFileError, KeyRole, read_secret_key, secret_key_to_text};
pub use passphrase::Passphrase;
pub(crate) use public::{public_key_of, read_public_key};
