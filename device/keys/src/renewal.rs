//! A new key beside the old one, until it is proven to work.
//!
//! | file | is there |
//! | --- | --- |
//! | `next.key` | from before it is asked for until there is an answer |
//! | `next.toml` | from the answer until it is proven, or found to be no good |
//! | `proven.toml` | while it takes the place of `key.pem`, `cert.pem` and `ca.pem` |
//! | `renewed_at` | from the first answer on: when the last one came, by the device's clock |
//!
//! Each comes and goes in one step, so that there is always a whole set that works.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};

use crate::{KeysError, durable};

const NEXT_KEY: &str = "next.key";
const NEXT: &str = "next.toml";
const PROVEN: &str = "proven.toml";
const RENEWED_AT: &str = "renewed_at";

/// What a device shows, and whom it trusts for TLS: all of it PEM.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Its private key.
    pub key_pem: String,
    /// Its certificate, and those between that and the authority.
    pub cert_pem: String,
    /// The authority of the server.
    pub ca_pem: String,
}

impl Credentials {
    /// Those that a device's folder holds.
    pub fn current(dir: &Path) -> Result<Credentials, KeysError> {
        if let Some(proven) = read(&dir.join(PROVEN))? {
            return Ok(proven);
        }
        let text = |name: &str| durable::read(&dir.join(name));
        let (ca_pem, cert_pem, key_pem) = (text("ca.pem")?, text("cert.pem")?, text("key.pem")?);
        Ok(Credentials { key_pem, cert_pem, ca_pem })
    }

    /// New ones that are not proven to work yet.
    pub fn next(dir: &Path) -> Result<Option<Credentials>, KeysError> {
        read(&dir.join(NEXT))
    }
}

fn read(path: &Path) -> Result<Option<Credentials>, KeysError> {
    let Some(text) = durable::read_if_there(path)? else { return Ok(None) };
    let read = toml::from_str(&text);
    read.map(Some)
        .map_err(|source| KeysError::Set { path: path.to_owned(), source: Box::new(source) })
}

/// A certificate to be asked for, for a key that is on the disk.
#[derive(Debug)]
pub struct Renewal {
    dir: PathBuf,
    key: KeyPair,
}

impl Renewal {
    /// Makes a key, or goes on with the one that was asked for before: whoever lost power, or the
    /// answer, asks again with the same. It is on the disk, for its owner alone, before this
    /// returns.
    pub fn begin(dir: &Path) -> Result<Renewal, KeysError> {
        let path = dir.join(NEXT_KEY);
        let kept = durable::read_if_there(&path)?;
        // One that was damaged is nobody's yet.
        let key = match kept.and_then(|text| KeyPair::from_pem(&text).ok()) {
            Some(key) => key,
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                durable::write(&path, &key.serialize_pem(), 0o600)?;
                key
            }
        };
        Ok(Renewal { dir: dir.to_owned(), key })
    }

    /// Whether one was begun that has no answer yet.
    pub fn is_begun(dir: &Path) -> bool {
        dir.join(NEXT_KEY).exists()
    }

    /// A certificate request signed with the key, PEM. It asks for nothing: the server knows who
    /// the device is.
    pub fn request(&self) -> Result<String, KeysError> {
        request(&self.key)
    }

    /// What the device would show with this answer.
    pub fn credentials(&self, cert_pem: String, ca_pem: String) -> Credentials {
        Credentials { key_pem: self.key.serialize_pem(), cert_pem, ca_pem }
    }

    /// Keeps an answer that came at this time, in seconds since 1970, to be proven.
    pub fn finish(self, next: &Credentials, now_s: i64) -> Result<(), KeysError> {
        durable::write(&self.dir.join(RENEWED_AT), &now_s.to_string(), 0o644)?;
        write(&self.dir.join(NEXT), next)?;
        durable::remove(&self.dir.join(NEXT_KEY))
    }
}

/// When the last answer came, in seconds since 1970 by the device's clock.
pub fn renewed_at(dir: &Path) -> Option<i64> {
    durable::read_if_there(&dir.join(RENEWED_AT)).ok()??.trim().parse().ok()
}

/// The new credentials work: they take the place of those before, which are removed.
pub fn keep_next(dir: &Path) -> Result<(), KeysError> {
    // Left behind, it would be asked for again.
    durable::remove(&dir.join(NEXT_KEY))?;
    durable::rename(&dir.join(NEXT), &dir.join(PROVEN))?;
    settle(dir)
}

/// The new credentials are no good.
pub fn drop_next(dir: &Path) -> Result<(), KeysError> {
    durable::remove(&dir.join(NEXT_KEY))?;
    durable::remove(&dir.join(NEXT))
}

/// Brings to its end what a power cut left half done.
pub fn settle(dir: &Path) -> Result<(), KeysError> {
    let path = dir.join(PROVEN);
    let Some(Credentials { key_pem, cert_pem, ca_pem }) = read(&path)? else { return Ok(()) };
    durable::write(&dir.join("ca.pem"), &ca_pem, 0o644)?;
    durable::write(&dir.join("key.pem"), &key_pem, 0o600)?;
    durable::write(&dir.join("cert.pem"), &cert_pem, 0o644)?;
    durable::remove(&path)
}

fn write(path: &Path, set: &Credentials) -> Result<(), KeysError> {
    durable::write(path, &toml::to_string(set).expect("three texts are TOML"), 0o600)
}

/// A request for a key and nothing else.
pub(crate) fn request(key: &KeyPair) -> Result<String, KeysError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.pem()?)
}

#[cfg(test)]
mod tests;
