//! Key, certificate, authority and root: each what it is called, and key and certificate a pair.

use std::path::Path;
use std::sync::Arc;

use otaru_keys::Credentials;
use otaru_release::PublicKey;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{IdentityError, read_text};

pub(super) fn files(dir: &Path) -> Result<(), IdentityError> {
    let Credentials { key_pem, cert_pem, ca_pem } = Credentials::current(dir)?;
    let no_good = |name, found, expected| {
        let path = dir.join(name);
        IdentityError::File { path, found, expected }
    };
    certificates(&ca_pem).map_err(|found| {
        no_good("ca.pem", found, "the authority of the server, as certificates in PEM")
    })?;
    let chain = certificates(&cert_pem)
        .map_err(|found| no_good("cert.pem", found, "the certificate of this device, in PEM"))?;
    has_key(chain, &key_pem).map_err(|found| {
        no_good("key.pem", found, "the private key of the certificate in cert.pem, in PEM")
    })?;
    let root = PublicKey::from_file(&read_text(&dir.join("root.pub"))?);
    let expected = "the root key of the product, such as `ed25519:` and 64 hex digits";
    root.map(drop).map_err(|error| no_good("root.pub", error.to_string(), expected))
}

/// The certificates of a file, at least one; else what was found.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    for der in &found {
        x509_parser::parse_x509_certificate(der).map_err(|error| error.to_string())?;
    }
    if found.is_empty() { Err("no certificate".to_owned()) } else { Ok(found) }
}

/// Whether the certificate is the key's; else what was found.
fn has_key(chain: Vec<CertificateDer<'static>>, pem: &str) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => "no private key".to_owned(),
        error => error.to_string(),
    })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    CertifiedKey::from_der(chain, key, &provider).map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key of another certificate".to_owned(),
        error => error.to_string(),
    })
}
