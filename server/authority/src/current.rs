//! Who signs now, and who is believed beside it, as the files have it.
//!
//! `ca.key` and the first certificate of `ca.pem` sign. While an authority that signed before is
//! believed, `old.pem` has its certificate and its word for the present one, and `ca.pem` has
//! both certificates, since that is what devices are given.

use std::path::Path;
use std::time::SystemTime;

use rcgen::{Issuer, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::{self, Secrecy};
use crate::key::AuthorityKey;
use crate::{AuthorityError, issue};

/// An authority with its key, and the one before it.
pub(crate) struct Current {
    pub(crate) issuer: Issuer<'static, AuthorityKey>,
    pub(crate) own: CaCertificate,
    pub(crate) before: Option<Predecessor>,
}

/// The certificate of an authority.
pub(crate) struct CaCertificate {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) not_after: SystemTime,
}

/// An authority that signs no more and is still believed. Its key is nowhere.
pub(crate) struct Predecessor {
    pub(crate) certificate: CaCertificate,
    /// What it said of the present one: for who trusts it alone.
    pub(crate) cross_pem: String,
}

impl Current {
    /// Puts key and certificates together, if they belong together. An authority that has ended is
    /// read as well: a server has to start for somebody to put another one in its place.
    pub(crate) fn read(
        dir: &Path,
        key: AuthorityKey,
        ca_pem: &str,
    ) -> Result<Current, AuthorityError> {
        let path = dir.join("ca.pem");
        let own = CaCertificate::first(&path, ca_pem)?;
        if !own.is_of(key.der_bytes()) {
            let key = dir.join("ca.key");
            return Err(AuthorityError::KeyForeign { certificate: path, key });
        }
        let before = Predecessor::read(dir, &own)?;
        let issuer = Issuer::from_ca_cert_der(&own.der, key)?;
        let current = Current { issuer, own, before };
        // A crash, or an operator with one file of two, may have left it behind the others.
        if blocks(ca_pem).concat() != current.bundle() {
            files::write(&path, &current.bundle(), Secrecy::Public)?;
        }
        Ok(current)
    }

    /// The certificates of all that are believed: the one that signs first.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &CaCertificate> {
        std::iter::once(&self.own).chain(self.before.as_ref().map(|before| &before.certificate))
    }

    /// What devices are given to trust.
    pub(crate) fn bundle(&self) -> String {
        self.certificates().map(|certificate| certificate.pem.as_str()).collect()
    }

    /// What follows a certificate of this authority, for who trusts the one before alone.
    pub(crate) fn chain_pem(&self) -> &str {
        self.before.as_ref().map_or("", |before| &before.cross_pem)
    }
}

impl CaCertificate {
    /// The first of a PEM text; the path is only for errors.
    pub(crate) fn first(path: &Path, text: &str) -> Result<CaCertificate, AuthorityError> {
        CaCertificate::read(path, blocks(text).into_iter().next().unwrap_or_default())
    }

    /// Reads one certificate as PEM; the path is only for errors.
    pub(crate) fn read(path: &Path, pem: String) -> Result<CaCertificate, AuthorityError> {
        let unreadable = || AuthorityError::CertificateUnreadable { path: path.to_owned() };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
        let der = der.into_owned();
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| unreadable())?;
        let not_after = issue::not_after(&parsed);
        Ok(CaCertificate { pem, der, not_after })
    }

    /// It was parsed when it was read.
    pub(crate) fn parsed(&self) -> X509Certificate<'_> {
        X509Certificate::from_der(&self.der).expect("it was parsed when it was read").1
    }

    fn is_of(&self, public_key: &[u8]) -> bool {
        self.parsed().public_key().subject_public_key.data == public_key
    }
}

impl Predecessor {
    /// What `old.pem` says, if it is there and speaks of this authority.
    fn read(dir: &Path, own: &CaCertificate) -> Result<Option<Predecessor>, AuthorityError> {
        let path = dir.join("old.pem");
        let Some(text) = files::read(&path)? else { return Ok(None) };
        let unreadable = || AuthorityError::CertificateUnreadable { path: path.clone() };
        let [old, cross] = <[String; 2]>::try_from(blocks(&text)).map_err(|_| unreadable())?;
        let (certificate, cross) =
            (CaCertificate::read(&path, old)?, CaCertificate::read(&path, cross)?);
        let is_word_for_own = cross.is_of(&own.parsed().public_key().subject_public_key.data)
            && cross.parsed().verify_signature(Some(certificate.parsed().public_key())).is_ok();
        if !is_word_for_own {
            return Err(AuthorityError::NotThePredecessor { path });
        }
        Ok(Some(Predecessor { certificate, cross_pem: cross.pem }))
    }
}

/// The parts of a PEM text.
pub(crate) fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), String::new());
    for line in text.lines() {
        block.extend([line, "\n"]);
        if line.starts_with("-----END ") {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}
