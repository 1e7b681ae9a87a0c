//! TLS with the device's certificate and its one authority, and what went wrong.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use otaru_keys::Credentials;
use otaru_wire::Reason;
use rustls::client::WantsClientCert;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Identity, certificates};

/// TLS settings for the server, with the device's certificate.
pub(crate) struct DeviceTls {
    /// For HTTPS and MQTT.
    pub(crate) own: Arc<ClientConfig>,
}

impl DeviceTls {
    /// Reads certificate, key and authority from the provisioning folder.
    ///
    /// Errors: the reason to report.
    pub(crate) fn current(identity: &Identity, now: SystemTime) -> Result<DeviceTls, Reason> {
        DeviceTls::of(&certificates::current(&identity.dir)?, now)
    }

    /// With this certificate, key and authority.
    ///
    /// Errors: the reason to report. A root certificate has no expiry to the TLS
    /// library, which trusts what it is given; so it is looked at here.
    pub(crate) fn of(credentials: &Credentials, now: SystemTime) -> Result<DeviceTls, Reason> {
        let roots = read_roots(&credentials.ca_pem, now)?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(credentials.cert_pem.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|_| Reason::StorageUnreadable)?;
        let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes())
            .map_err(|_| Reason::StorageUnreadable)?;
        let own = builder(roots)?.with_client_auth_cert(chain, key);
        Ok(DeviceTls { own: Arc::new(own.map_err(|_| Reason::StorageUnreadable)?) })
    }
}

/// For where the server redirects to: a store or a network for delivery, which shows a certificate
/// of a public authority. The device's own is shown to nobody there. Whoever answers instead can
/// withhold bytes, not forge them: the manifest is signed.
pub(crate) fn elsewhere(identity: &Identity, now: SystemTime) -> Result<ClientConfig, Reason> {
    let mut roots = read_roots(&certificates::current(&identity.dir)?.ca_pem, now)?;
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

fn read_roots(pem: &str, now: SystemTime) -> Result<RootCertStore, Reason> {
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
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
    find_in(error, &reason_of)
}

/// Whether the other side said in an error's chain that it does not go on.
pub(crate) fn is_alert(error: &(dyn Error + 'static)) -> bool {
    let alert = |error: &rustls::Error| matches!(error, rustls::Error::AlertReceived(_));
    find_in(error, &|error| alert(error).then_some(())).is_some()
}

/// What is found first in an error of TLS in the chain.
fn find_in<T>(
    error: &(dyn Error + 'static),
    find: &impl Fn(&rustls::Error) -> Option<T>,
) -> Option<T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>().and_then(find) {
            return Some(found);
        }
        // An I/O error's source is its inner error's source: look at the inner one too.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find_in(inner, find)
        {
            return Some(found);
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
