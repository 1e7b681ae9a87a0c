//! TLS with the device's certificate and its one authority, and what went wrong.

use std::error::Error;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use otaru_wire::Reason;
use rustls::client::WantsClientCert;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Identity;

/// TLS settings for the server, with the device's certificate.
pub(crate) struct DeviceTls {
    /// For HTTPS and MQTT.
    pub(crate) own: Arc<ClientConfig>,
}

impl DeviceTls {
    /// Reads certificate, key and authority from the provisioning folder.
    ///
    /// Errors: the reason to report. A root certificate has no expiry to the TLS
    /// library, which trusts what it is given; so it is looked at here.
    pub(crate) fn read(identity: &Identity, now: SystemTime) -> Result<DeviceTls, Reason> {
        let roots = read_roots(identity, now)?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(identity.dir.join("cert.pem"))
                .and_then(Iterator::collect)
                .map_err(|_| Reason::StorageUnreadable)?;
        let key = PrivateKeyDer::from_pem_file(identity.dir.join("key.pem"))
            .map_err(|_| Reason::StorageUnreadable)?;
        let own = builder(roots)?.with_client_auth_cert(chain, key);
        Ok(DeviceTls { own: Arc::new(own.map_err(|_| Reason::StorageUnreadable)?) })
    }
}

/// For where the server redirects to: a store or a network for delivery, which shows a certificate
/// of a public authority. The device's own is shown to nobody there. Whoever answers instead can
/// withhold bytes, not forge them: the manifest is signed.
pub(crate) fn elsewhere(identity: &Identity, now: SystemTime) -> Result<ClientConfig, Reason> {
    let mut roots = read_roots(identity, now)?;
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(error = %error, "An authority of the system could not be read");
    }
    // Those that nobody can parse vouch for nobody.
    let _ = roots.add_parsable_certificates(found.certs);
    Ok(builder(roots)?.with_no_client_auth())
}

fn builder(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Reason> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots))
        .map_err(|_| Reason::Internal)
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
