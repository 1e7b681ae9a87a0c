//! The key file: TOML with the secret sealed by a passphrase. See `docs/formats.md`.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use otaru_release::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeySecret, Passphrase};
use crate::hex;

/// The one version of the file format.
const FORMAT: u32 = 1;
/// RFC 9106 §4, second recommendation, with the lanes a single thread works through.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// What a key file may ask of the machine that opens it: 1 GiB, 16 passes.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Root documents.
    Root,
    /// Manifests.
    Release,
}

impl KeyRole {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeyRole::Root => "root",
            KeyRole::Release => "release",
        }
    }
}

/// Why a key file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key file at all.
    #[error("not an Otaru key file: {0}")]
    Syntax(String),
    /// A format this program does not know.
    #[error("key file format {found}, expected {FORMAT}")]
    Format {
        /// The version found.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("`{field}` in the key file is not {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The file is sealed and no passphrase was given.
    #[error("the key is sealed by a passphrase and none was given")]
    PassphraseNeeded,
    /// The passphrase does not open the file, or the file was changed.
    #[error("the passphrase is wrong, or the key file is damaged")]
    WrongPassphrase,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u32,
    role: KeyRole,
    public_key: String,
    /// The 32 secret bytes in hex, sealed if `sealed` is there.
    secret: String,
    sealed: Option<Seal>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    cipher: String,
    nonce: String,
}

/// The text of a key file, sealed if there is a passphrase.
///
/// `random` fills salt and nonce; it must come from the system's generator.
pub fn secret_key_to_text(
    role: KeyRole,
    secret: &KeySecret,
    passphrase: Option<&Passphrase>,
    random: impl FnOnce(&mut [u8; 40]),
) -> Zeroizing<String> {
    let public_key = secret.key().public_key();
    let seed = secret.bytes();
    let mut file = KeyFile {
        format: FORMAT,
        role,
        public_key: public_key.to_string(),
        secret: hex::encode(seed),
        sealed: None,
    };
    if let Some(passphrase) = passphrase {
        let mut fresh = [0; 40];
        random(&mut fresh);
        let (salt, nonce) = fresh.split_at(16);
        let seal = Seal {
            kdf: "argon2id".to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: hex::encode(salt),
            cipher: "xchacha20poly1305".to_owned(),
            nonce: hex::encode(nonce),
        };
        let (cipher, nonce) = seal.cipher(passphrase).expect("our own parameters are in range");
        let bound = bound_text(role, &file.public_key);
        let sealed = cipher.encrypt(&nonce, Payload { msg: seed, aad: bound.as_bytes() });
        file.secret = hex::encode(&sealed.expect("32 bytes are never too long to seal"));
        file.sealed = Some(seal);
    }
    let warning = if passphrase.is_some() {
        ""
    } else {
        "# Not sealed: whoever reads this file has the key.\n"
    };
    let text = toml::to_string(&file).expect("strings and numbers become TOML");
    Zeroizing::new(format!(
        "# Otaru {} key, key id {}. Keep it secret.\n{warning}{text}",
        role.as_str(),
        public_key.id()
    ))
}

/// Reads a key file; `passphrase` is asked for only if the file is sealed.
///
/// # Errors
/// The outer error is `passphrase`'s own; the inner one is the file's.
pub fn read_secret_key<E>(
    text: &str,
    passphrase: impl FnOnce() -> Result<Option<Passphrase>, E>,
) -> Result<Result<(KeyRole, SecretKey), KeyFileError>, E> {
    let file = match parse(text) {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let passphrase = if file.sealed.is_some() { passphrase()? } else { None };
    Ok(file.open(passphrase.as_ref()))
}

/// What a key file says without being opened: its role and public half.
pub(crate) fn read_public_half(text: &str) -> Result<(KeyRole, PublicKey, bool), KeyFileError> {
    let file = parse(text)?;
    let public_key = file.public_key.parse().map_err(|_| PUBLIC_KEY_FIELD)?;
    Ok((file.role, public_key, file.sealed.is_some()))
}

const PUBLIC_KEY_FIELD: KeyFileError =
    KeyFileError::Field { field: "public_key", expected: "the public half of the key" };

fn parse(text: &str) -> Result<KeyFile, KeyFileError> {
    /// Read first, so that a later format is named instead of its new fields.
    #[derive(Deserialize)]
    struct FormatOnly {
        format: u32,
    }
    let syntax = |error: toml::de::Error| KeyFileError::Syntax(error.message().to_owned());
    match toml::from_str::<FormatOnly>(text).map_err(syntax)?.format {
        FORMAT => toml::from_str(text).map_err(syntax),
        found => Err(KeyFileError::Format { found }),
    }
}

impl KeyFile {
    fn open(&self, passphrase: Option<&Passphrase>) -> Result<(KeyRole, SecretKey), KeyFileError> {
        let not_hex = KeyFileError::Field { field: "secret", expected: "hex digits" };
        let secret = Zeroizing::new(hex::decode(&self.secret).ok_or(not_hex)?);
        let seed = match &self.sealed {
            None => secret,
            Some(seal) => {
                let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
                let (cipher, nonce) = seal.cipher(passphrase)?;
                let bound = bound_text(self.role, &self.public_key);
                let payload = Payload { msg: &secret, aad: bound.as_bytes() };
                let seed = cipher.decrypt(&nonce, payload);
                Zeroizing::new(seed.map_err(|_| KeyFileError::WrongPassphrase)?)
            }
        };
        let seed: &[u8; 32] = seed
            .as_slice()
            .try_into()
            .map_err(|_| KeyFileError::Field { field: "secret", expected: "32 bytes" })?;
        let public_key: PublicKey = self.public_key.parse().map_err(|_| PUBLIC_KEY_FIELD)?;
        let secret = KeySecret::new(public_key.algorithm(), seed).map_err(|_| PUBLIC_KEY_FIELD)?;
        let key = secret.key();
        if key.public_key() != public_key {
            return Err(PUBLIC_KEY_FIELD);
        }
        Ok((self.role, key))
    }
}

impl Seal {
    fn cipher(&self, passphrase: &Passphrase) -> Result<(XChaCha20Poly1305, XNonce), KeyFileError> {
        let field = |field, expected| KeyFileError::Field { field, expected };
        if self.kdf != "argon2id" {
            return Err(field("kdf", "argon2id"));
        }
        if self.cipher != "xchacha20poly1305" {
            return Err(field("cipher", "xchacha20poly1305"));
        }
        if self.memory_kib > MAX_MEMORY_KIB || self.passes > MAX_PASSES {
            return Err(field("memory_kib", "at most 1 GiB, with at most 16 passes"));
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .map_err(|_| field("lanes", "in Argon2's range, like memory_kib and passes"))?;
        let salt = hex::decode(&self.salt).ok_or(field("salt", "hex digits"))?;
        let nonce: [u8; 24] = hex::decode(&self.nonce)
            .and_then(|nonce| nonce.try_into().ok())
            .ok_or(field("nonce", "24 bytes in hex"))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut_slice())
            .map_err(|_| field("salt", "at least 8 bytes"))?;
        Ok((XChaCha20Poly1305::new((&*key).into()), nonce.into()))
    }
}

/// Bound into the seal, so that a key cannot be passed off as another's or for another role.
fn bound_text(role: KeyRole, public_key: &str) -> String {
    format!("otaru {} key {public_key}", role.as_str())
}

#[cfg(test)]
mod tests;
