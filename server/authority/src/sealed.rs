//! The authority's key under a passphrase: PKCS #8 with PBES2, which `openssl pkcs8` reads and
//! writes as well.

use std::fmt;
use std::path::Path;

use pkcs8::der::pem::LineEnding;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use crate::AuthorityError;

/// How PEM calls a key under a passphrase.
const SEALED: &str = "ENCRYPTED PRIVATE KEY";

/// Less is guessed from a copy of the file, however slow a try is.
const PASSPHRASE_CHARACTERS: usize = 12;

/// What the authority's key is encrypted with.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// At least twelve characters.
    pub fn new(text: String) -> Result<Passphrase, AuthorityError> {
        let text = Zeroizing::new(text);
        match text.chars().count() {
            found if found < PASSPHRASE_CHARACTERS => {
                Err(AuthorityError::PassphraseShort { found, least: PASSPHRASE_CHARACTERS })
            }
            _ => Ok(Passphrase(text)),
        }
    }
}

/// Without what it says.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Whether the key is under a passphrase.
pub(crate) fn is_sealed(pem: &str) -> bool {
    pem.contains(SEALED)
}

/// The key as PEM, without the passphrase; the path is only for errors.
pub(crate) fn open(
    path: &Path,
    pem: &str,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, AuthorityError> {
    if !is_sealed(pem) {
        return match passphrase {
            None => Ok(Zeroizing::new(pem.to_owned())),
            Some(_) => Err(AuthorityError::KeyOpen { path: path.to_owned() }),
        };
    }
    let passphrase =
        passphrase.ok_or_else(|| AuthorityError::PassphraseMissing { path: path.to_owned() })?;
    let wrong = |_| AuthorityError::PassphraseWrong { path: path.to_owned() };
    let (_, sealed) = SecretDocument::from_pem(pem).map_err(|error| wrong(error.into()))?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes());
    let opened = sealed.map_err(wrong)?.decrypt(passphrase.0.as_bytes());
    let pem = opened.map_err(wrong)?.to_pem("PRIVATE KEY", LineEnding::LF);
    pem.map_err(|error| wrong(error.into()))
}

/// The key under the passphrase, as PEM.
pub(crate) fn seal(pem: &str, passphrase: &Passphrase) -> Result<String, AuthorityError> {
    let failed = |_| AuthorityError::Seal;
    let (_, key) = SecretDocument::from_pem(pem).map_err(|error| failed(error.into()))?;
    let key = PrivateKeyInfoRef::try_from(key.as_bytes()).map_err(failed)?;
    let sealed = key.encrypt(passphrase.0.as_bytes()).map_err(failed)?;
    let pem = sealed.to_pem(SEALED, LineEnding::LF).map_err(|error| failed(error.into()))?;
    Ok(pem.as_str().to_owned())
}
