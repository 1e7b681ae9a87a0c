//! TLS with the device's certificate and its one authority, and what went wrong.

use std::error::Error;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use otaru_wire::Reason;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Identity;

/// TLS settings for the server: with the device's certificate, and without.
pub(crate) struct DeviceTls {
    /// For the server itself.
    pub(crate) own: Arc<ClientConfig>,
    /// For where it redirects to: a certificate is shown to nobody else.
    pub(crate) anonymous: Arc<ClientConfig>,
}

impl DeviceTls {
    /// Reads certificate, key and authority from the provisioning folder.
    ///
    /// Errors: the reason to report. A root certificate has no expiry to the TLS
    /// library, which trusts what it is given; so it is looked at here.
    pub(crate) fn read(identity: &Identity, now: SystemTime) -> Result<DeviceTls, Reason> {
        let roots = Arc::new(read_roots(identity, now)?);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map(|builder| builder.with_root_certificates(Arc::clone(&roots)))
                .map_err(|_| Reason::Internal)
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(identity.dir.join("cert.pem"))
                .and_then(Iterator::collect)
                .map_err(|_| Reason::StorageUnreadable)?;
        let key = PrivateKeyDer::from_pem_file(identity.dir.join("key.pem"))
            .map_err(|_| Reason::StorageUnreadable)?;
        let own = builder()?.with_client_auth_cert(chain, key);
        Ok(DeviceTls {
            own: Arc::new(own.map_err(|_| Reason::StorageUnreadable)?),
            anonymous: Arc::new(builder()?.with_no_client_auth()),
        })
    }
}

fn read_roots(identity: &Identity, now: SystemTime) -> Result<RootCertStore, Reason> {
    let pem = fs::read(identity.dir.join("ca.pem")).map_err(|_| Reason::TlsRootMissing)?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Reason::TlsRootMissing)?;
    let mut roots = RootCertStore::empty();
    let mut expired = false;
    for certificate in found {
        if is_expired(&certificate, now) {
            expired = true;
            continue;
        }
        // A damaged certificate is as good as none; another may still serve.
        let _ = roots.add(certificate);
    }
    match (roots.is_empty(), expired) {
        (false, _) => Ok(roots),
        (true, true) => Err(Reason::TlsRootExpired),
        (true, false) => Err(Reason::TlsRootMissing),
    }
}

fn is_expired(certificate: &CertificateDer<'_>, now: SystemTime) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let now_s = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    parsed.validity().not_after.timestamp() < i64::try_from(now_s).unwrap_or(i64::MAX)
}

/// The reason in an error's chain that speaks of certificates, if one does.
pub(crate) fn reason_in(error: &(dyn Error + 'static)) -> Option<Reason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(reason) = error.downcast_ref::<rustls::Error>().and_then(reason_of) {
            return Some(reason);
        }
        // An I/O error's source is its inner error's source: look at the inner one too.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(reason) = reason_in(inner)
        {
            return Some(reason);
        }
        cause = error.source();
    }
    None
}

fn reason_of(error: &rustls::Error) -> Option<Reason> {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Some(Reason::TlsRootExpired),
        rustls::Error::InvalidCertificate(_) => Some(Reason::TlsUntrusted),
        _ => None,
    }
}
