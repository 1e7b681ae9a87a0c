//! A device's own key, and the folder it is provisioned from.
//!
//! The key is made here and never leaves the folder; what is sent is a request signed with it.
//! Whatever power does in between, a folder that has `cert.pem` is whole: it is written last.
//! Speaks to nobody. Start at [`Enrolment`]; [`Renewal`] is how it gets another key later.

mod durable;
mod renewal;

use std::path::{Path, PathBuf};

use otaru_release::PublicKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};

pub use renewal::{Credentials, Renewal, drop_next, keep_next, renewed_at, settle};

/// What a device needs to enrol: the file that `otaru device enrolment-token` writes.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentFile {
    /// The token, for one device.
    pub token: String,
    /// Where it sends its request.
    pub device_url: String,
    /// The authority it trusts for that, PEM.
    pub ca_pem: String,
    /// The root key it will trust for firmware, as `root.pub`: said at the desk, where somebody
    /// knows it, and not by whoever answers the device.
    pub root_pub: String,
}

/// What the server answered: the texts of the files beside the key.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The certificate.
    pub cert_pem: String,
    /// The authority the device trusts for TLS.
    pub ca_pem: String,
    /// The root key it trusts for firmware.
    pub root_pub: String,
    /// Where it finds its server.
    pub device_toml: String,
}

/// Why a folder cannot be enrolled from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A file could not be read, made or written.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The token's file is not one.
    #[error("{} is no enrolment token's", path.display())]
    Token {
        /// Which file.
        path: PathBuf,
        /// What was found.
        source: Box<toml::de::Error>,
    },
    /// Key, certificate and authority in one file are not that.
    #[error("{} is no set of key, certificate and authority", path.display())]
    Set {
        /// Which file.
        path: PathBuf,
        /// What was found.
        source: Box<toml::de::Error>,
    },
    /// `key.pem` holds no key that can be used.
    #[error("{} holds no private key", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        source: rcgen::Error,
    },
    /// The server's answer has no root key, or another than the token's file.
    #[error("the server's root key is not the one that the token's file names")]
    Root,
    /// A key or request could not be made.
    #[error("could not make a key")]
    Make(#[from] rcgen::Error),
}

impl EnrolmentFile {
    /// Reads the file of a token.
    pub fn read(path: &Path) -> Result<EnrolmentFile, KeysError> {
        let text = durable::read(path)?;
        toml::from_str(&text)
            .map_err(|source| KeysError::Token { path: path.to_owned(), source: source.into() })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("texts are TOML")
    }
}

/// A folder under way to become a device's.
#[derive(Debug)]
pub struct Enrolment {
    dir: PathBuf,
    key: KeyPair,
}

impl Enrolment {
    /// Whether the folder is a device's already.
    pub fn is_done(dir: &Path) -> bool {
        dir.join("cert.pem").exists()
    }

    /// Makes folder and key, or goes on with those that are there: a device that lost power asks
    /// again with the same key. The key is on the disk, for its owner alone, before this returns.
    pub fn begin(dir: &Path) -> Result<Enrolment, KeysError> {
        durable::create_dir(dir)?;
        let path = dir.join("key.pem");
        let key = if path.exists() {
            KeyPair::from_pem(&durable::read(&path)?)
                .map_err(|source| KeysError::Key { path, source })?
        } else {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            durable::write(&path, &key.serialize_pem(), 0o600)?;
            key
        };
        Ok(Enrolment { dir: dir.to_owned(), key })
    }

    /// A certificate request signed with the key, PEM. It asks for nothing: the server knows who
    /// the device is.
    pub fn request(&self) -> Result<String, KeysError> {
        renewal::request(&self.key)
    }

    /// Writes what the server answered, the certificate last; nothing of it if its root key is not
    /// the one of the token's file. A device that trusts another's must not leave the workbench.
    pub fn finish(self, file: &EnrolmentFile, answer: &Answer) -> Result<(), KeysError> {
        let root = |text: &str| PublicKey::from_file(text).map_err(|_| KeysError::Root);
        if root(&answer.root_pub)? != root(&file.root_pub)? {
            return Err(KeysError::Root);
        }
        for (name, text) in [
            ("ca.pem", &answer.ca_pem),
            ("root.pub", &answer.root_pub),
            ("device.toml", &answer.device_toml),
            ("cert.pem", &answer.cert_pem),
        ] {
            durable::write(&self.dir.join(name), text, 0o644)?;
        }
        Ok(())
    }
}
