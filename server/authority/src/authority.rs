//! The authority itself: one key, one certificate, kept in a directory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::files::{self, Secrecy};
use crate::issue::{Serial, valid_from, valid_until};
use crate::sealed::{self, Passphrase};
use crate::{AuthorityError, issue};

/// How long the authority lives. Devices are built to trust it and cannot be
/// told of another one, so it has to outlive them.
const AUTHORITY_LIFE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How many authorities may stand between this one and a certificate: the one that people's
/// browsers trust, and its issuer.
const AUTHORITIES_BELOW: u8 = 2;

/// A certificate authority in a directory. Opening it again gives the same one, and so does a clone.
#[derive(Clone)]
pub struct Authority {
    dir: PathBuf,
    issuer: Arc<Issuer<'static, KeyPair>>,
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    not_after: SystemTime,
    mended: Arc<[PathBuf]>,
}

/// What is for the server's user alone: the directory itself, and these files in it.
const PRIVATE: [&str; 5] = ["", "ca.key", "server.key", "people.key", "people-issuer.pem"];

impl Authority {
    /// Opens the authority in `dir`, or creates directory, key and certificate.
    ///
    /// The key (`ca.key`, mode 0600) is durable before the certificate
    /// (`ca.pem`) exists; a crash between the two is mended by the next call.
    /// A certificate without its key is an error, never replaced in silence:
    /// every device trusts the old one. Keys that others could read are closed to them:
    /// [`Authority::mended`] says which.
    pub fn open_or_create(dir: &Path, now: SystemTime) -> Result<Authority, AuthorityError> {
        Authority::open_or_create_sealed(dir, None, now)
    }

    /// As [`Authority::open_or_create`], with the authority's key under a passphrase if one is
    /// given. A key that is under one opens with it alone, and one that is under none is refused
    /// where a passphrase is set.
    pub fn open_or_create_sealed(
        dir: &Path,
        passphrase: Option<&Passphrase>,
        now: SystemTime,
    ) -> Result<Authority, AuthorityError> {
        files::create_dir(dir)?;
        let mut mended = Vec::new();
        for path in PRIVATE.map(|name| dir.join(name)) {
            if files::keep_private(&path)? {
                mended.push(path);
            }
        }
        let key_path = key_path(dir);
        files::remove_left_over(&key_path)?;
        let certificate_path = dir.join("ca.pem");
        let certificate = files::read(&certificate_path)?;
        let key = match (files::read(&key_path)?, &certificate) {
            (Some(pem), _) => {
                issue::read_key(&key_path, &sealed::open(&key_path, &pem, passphrase)?)?
            }
            (None, None) => create_key(&key_path, passphrase)?,
            (None, Some(_)) => {
                return Err(AuthorityError::KeyMissing {
                    certificate: certificate_path,
                    key: key_path,
                });
            }
        };
        let ca_pem = match certificate {
            Some(pem) => pem,
            None => create_certificate(&certificate_path, &key, now)?,
        };
        let authority = Authority::from_parts(dir, key, ca_pem, now)?;
        Ok(Authority { mended: mended.into(), ..authority })
    }

    /// What others than the server's user could read, or change, until it was opened. Whether
    /// somebody did is not known: whoever has the authority's key can be every device.
    pub fn mended(&self) -> &[PathBuf] {
        &self.mended
    }

    fn from_parts(
        dir: &Path,
        key: KeyPair,
        ca_pem: String,
        now: SystemTime,
    ) -> Result<Authority, AuthorityError> {
        let path = dir.join("ca.pem");
        let unreadable = || AuthorityError::CertificateUnreadable { path: path.clone() };
        let ca_der = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_| unreadable())?;
        let (_, parsed) = X509Certificate::from_der(&ca_der).map_err(|_| unreadable())?;
        if parsed.public_key().subject_public_key.data != key.public_key_raw() {
            let key = dir.join("ca.key");
            return Err(AuthorityError::KeyForeign { certificate: path, key });
        }
        let not_after = issue::not_after(&parsed);
        if not_after <= now {
            return Err(AuthorityError::Expired { path });
        }
        let issuer = Arc::new(Issuer::from_ca_cert_der(&ca_der, key)?);
        let ca_der = ca_der.clone().into_owned();
        let mended = Arc::default();
        Ok(Authority { dir: dir.to_owned(), issuer, ca_pem, ca_der, not_after, mended })
    }

    /// Puts the key of the authority in `dir` under a passphrase, in place of the key as it is:
    /// a crash leaves one of the two. Nobody else may have the authority open.
    pub fn seal_key(dir: &Path, passphrase: &Passphrase) -> Result<(), AuthorityError> {
        let (path, pem) = stored_key(dir)?;
        if sealed::is_sealed(&pem) {
            return Err(AuthorityError::KeySealed { path });
        }
        issue::read_key(&path, &pem)?;
        let text = sealed::seal(&pem, passphrase)?;
        // Read back before it takes the place of the only other one.
        sealed::open(&path, &text, Some(passphrase))?;
        files::write(&path, &text, Secrecy::Private)
    }

    /// Takes the key of the authority in `dir` out of its passphrase.
    pub fn unseal_key(dir: &Path, passphrase: &Passphrase) -> Result<(), AuthorityError> {
        let (path, pem) = stored_key(dir)?;
        let text = sealed::open(&path, &pem, Some(passphrase))?;
        issue::read_key(&path, &text)?;
        files::write(&path, &text, Secrecy::Private)
    }

    /// The authority's certificate, which devices are given to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Where [`Authority::ca_pem`] is on disk.
    pub fn ca_path(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Where [`Authority::issue_server`] keeps the server's certificate.
    pub fn server_certificate_path(&self) -> PathBuf {
        self.dir.join("server.pem")
    }

    /// Where [`Authority::issue_server`] keeps the server's key, mode 0600.
    pub fn server_key_path(&self) -> PathBuf {
        self.dir.join("server.key")
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    pub(crate) fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca_der
    }

    /// When the authority's own certificate ends; nothing it issues lasts longer.
    pub(crate) fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

/// Without the key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("dir", &self.dir).finish_non_exhaustive()
    }
}

fn key_path(dir: &Path) -> PathBuf {
    dir.join("ca.key")
}

fn stored_key(dir: &Path) -> Result<(PathBuf, Zeroizing<String>), AuthorityError> {
    let path = key_path(dir);
    files::remove_left_over(&path)?;
    match files::read(&path)? {
        Some(pem) => Ok((path, Zeroizing::new(pem))),
        None => Err(AuthorityError::FileMissing { path }),
    }
}

fn create_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<KeyPair, AuthorityError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let open = Zeroizing::new(key.serialize_pem());
    match passphrase {
        None => files::write(path, &open, Secrecy::Private)?,
        Some(passphrase) => {
            files::write(path, &sealed::seal(&open, passphrase)?, Secrecy::Private)?;
        }
    }
    Ok(key)
}

fn create_certificate(
    path: &Path,
    key: &KeyPair,
    now: SystemTime,
) -> Result<String, AuthorityError> {
    let serial = Serial::random()?;
    let mut name = DistinguishedName::new();
    // Part of the name is random: a client that trusts two authorities must be able to tell them apart.
    name.push(DnType::CommonName, format!("Otaru authority {}", &serial.as_hex()[..8]));
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(serial.to_rcgen());
    params.not_before = valid_from(now);
    params.not_after = valid_until(now + AUTHORITY_LIFE);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(AUTHORITIES_BELOW));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = params.self_signed(key)?.pem();
    files::write(path, &pem, Secrecy::Public)?;
    Ok(pem)
}
