//! The authority itself: one key, one certificate, kept in a directory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use otaru_doors::AuthorityCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SigningKey,
};
use zeroize::Zeroizing;

use crate::current::{CaCertificate, Current};
use crate::files::{self, Secrecy};
use crate::issue::{Serial, valid_from, valid_until};
use crate::key::{AuthorityKey, KeyPlace};
use crate::outside::OutsideKey;
use crate::rotation;
use crate::sealed::{self, Passphrase};
use crate::{AuthorityError, KeyCommand, issue};

/// How long the authority lives. Devices that cannot renew their certificate are never told of
/// another one, so it has to outlive them.
const AUTHORITY_LIFE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How many authorities may stand between this one and a certificate: the one that people's
/// browsers trust, and its issuer.
const AUTHORITIES_BELOW: u8 = 2;

/// A certificate authority in a directory. Opening it again gives the same one; a clone is the
/// same, and changes with it.
#[derive(Clone)]
pub struct Authority {
    dir: PathBuf,
    key_place: KeyPlace,
    current: Arc<RwLock<Arc<Current>>>,
    /// Held while files are changed and read anew; how they were then.
    turning: Arc<Mutex<Stamps>>,
    mended: Arc<[PathBuf]>,
}

/// What is for the server's user alone: the directory itself, and these files in it.
const PRIVATE: [&str; 6] =
    ["", "ca.key", "next.key", "server.key", "people.key", "people-issuer.pem"];

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
        Authority::open_at(dir, KeyPlace::File(passphrase.cloned()), now)
    }

    /// Opens the authority in `dir` whose key is somewhere else: `ca.pem` is there, or the public
    /// key in `ca.pub`, and `ca.key` is not. The command signs whenever a certificate is made.
    pub fn open_outside(
        dir: &Path,
        command: KeyCommand,
        now: SystemTime,
    ) -> Result<Authority, AuthorityError> {
        Authority::open_at(dir, KeyPlace::Outside(command), now)
    }

    fn open_at(
        dir: &Path,
        key_place: KeyPlace,
        now: SystemTime,
    ) -> Result<Authority, AuthorityError> {
        files::create_dir(dir)?;
        let mut mended = Vec::new();
        for path in PRIVATE.map(|name| dir.join(name)) {
            if files::keep_private(&path)? {
                mended.push(path);
            }
        }
        let seen = stamps(dir);
        let current = open(dir, &key_place, now)?;
        Ok(Authority {
            dir: dir.to_owned(),
            key_place,
            current: Arc::new(RwLock::new(Arc::new(current))),
            turning: Arc::new(Mutex::new(seen)),
            mended: mended.into(),
        })
    }

    /// What others than the server's user could read, or change, until it was opened. Whether
    /// somebody did is not known: whoever has the authority's key can be every device.
    pub fn mended(&self) -> &[PathBuf] {
        &self.mended
    }

    /// Reads the files; whether they say something else than before.
    pub(crate) fn read_again(
        &self,
        seen: &mut Stamps,
        now: SystemTime,
    ) -> Result<bool, AuthorityError> {
        // Before they are read: what changes meanwhile is read once more.
        let stamps = stamps(&self.dir);
        let found = open(&self.dir, &self.key_place, now)?;
        *seen = stamps;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let has_changed = found.bundle() != current.bundle();
        *current = Arc::new(found);
        Ok(has_changed)
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

    /// What devices are given to trust: the authority's certificate, and behind it the one of
    /// the authority before while that is believed.
    pub fn ca_pem(&self) -> String {
        self.current().bundle()
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

    pub(crate) fn key_place(&self) -> &KeyPlace {
        &self.key_place
    }

    /// Whether a command signs, which takes its time.
    pub fn is_outside(&self) -> bool {
        matches!(self.key_place, KeyPlace::Outside(_))
    }

    pub(crate) fn turning(&self) -> MutexGuard<'_, Stamps> {
        self.turning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who signs now. Asked once for each certificate: another may take its place at any time.
    pub(crate) fn current(&self) -> Arc<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Without the key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// How the files are that say who signs and who is believed.
pub(crate) type Stamps = [Option<files::Stamp>; 4];

pub(crate) fn stamps(dir: &Path) -> Stamps {
    ["ca.key", "ca.pem", "old.pem", "next.pem"].map(|name| files::stamp(&dir.join(name)))
}

/// Reads what is in the directory, and makes what is missing.
fn open(dir: &Path, key_place: &KeyPlace, now: SystemTime) -> Result<Current, AuthorityError> {
    rotation::complete(dir)?;
    let (key_path, certificate_path) = (key_path(dir), dir.join("ca.pem"));
    let passphrase = match key_place {
        KeyPlace::File(passphrase) => passphrase.as_ref(),
        KeyPlace::Outside(command) => return read_outside(dir, command.clone(), now),
    };
    files::remove_left_over(&key_path)?;
    let certificate = files::read(&certificate_path)?;
    let key = match (files::read(&key_path)?, &certificate) {
        (Some(pem), _) => issue::read_key(&key_path, &sealed::open(&key_path, &pem, passphrase)?)?,
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
    Current::read(dir, AuthorityKey::Held(key), &ca_pem)
}

fn read_outside(
    dir: &Path,
    command: KeyCommand,
    now: SystemTime,
) -> Result<Current, AuthorityError> {
    let (key_path, path) = (key_path(dir), dir.join("ca.pem"));
    if files::read(&key_path)?.is_some() {
        return Err(AuthorityError::KeyInside { path: key_path });
    }
    let ca_pem = match files::read(&path)? {
        Some(pem) => pem,
        None => certify_outside(dir, &path, command.clone(), now)?,
    };
    let own = CaCertificate::first(&path, &ca_pem)?;
    let unusable = || AuthorityError::NoAuthority { path: path.clone() };
    AuthorityCertificate::from_der(&own.der).map_err(|_| unusable())?;
    let key = OutsideKey::of(own.parsed().public_key(), command).ok_or_else(unusable)?;
    Current::read(dir, AuthorityKey::Outside(key), &ca_pem)
}

/// Has the command sign a certificate for the public key that an operator put there.
fn certify_outside(
    dir: &Path,
    path: &Path,
    command: KeyCommand,
    now: SystemTime,
) -> Result<String, AuthorityError> {
    let public_key = dir.join("ca.pub");
    let missing = || AuthorityError::FileMissing { path: public_key.clone() };
    let text = files::read(&public_key)?.ok_or_else(missing)?;
    let unusable = || AuthorityError::NoAuthority { path: public_key.clone() };
    let key = OutsideKey::from_pem(&text, command).ok_or_else(unusable)?;
    create_certificate(path, &key, now)
}

fn key_path(dir: &Path) -> PathBuf {
    dir.join("ca.key")
}

fn stored_key(dir: &Path) -> Result<(PathBuf, Zeroizing<String>), AuthorityError> {
    // A rotation that was cut short has another key to come.
    rotation::complete(dir)?;
    let path = key_path(dir);
    files::remove_left_over(&path)?;
    match files::read(&path)? {
        Some(pem) => Ok((path, Zeroizing::new(pem))),
        None => Err(AuthorityError::FileMissing { path }),
    }
}

fn create_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<KeyPair, AuthorityError> {
    let key = new_key()?;
    let text = key_text(&Zeroizing::new(key.serialize_pem()), passphrase)?;
    files::write(path, &text, Secrecy::Private)?;
    Ok(key)
}

pub(crate) fn new_key() -> Result<KeyPair, AuthorityError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

/// A key as it is kept.
pub(crate) fn key_text(
    open: &Zeroizing<String>,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, AuthorityError> {
    match passphrase {
        None => Ok(open.clone()),
        Some(passphrase) => Ok(Zeroizing::new(sealed::seal(open, passphrase)?)),
    }
}

fn create_certificate(
    path: &Path,
    key: &impl SigningKey,
    now: SystemTime,
) -> Result<String, AuthorityError> {
    let pem = new_authority(now)?.self_signed(key)?.pem();
    files::write(path, &pem, Secrecy::Public)?;
    Ok(pem)
}

/// What the certificate of a new authority says.
pub(crate) fn new_authority(now: SystemTime) -> Result<CertificateParams, AuthorityError> {
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
    Ok(params)
}
