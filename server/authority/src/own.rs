//! A certificate that somebody else issued, for the port of the people.

use std::path::Path;
use std::time::SystemTime;

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::issue::not_after;
use crate::{AuthorityError, IssuedCertificate, files};

impl IssuedCertificate {
    /// Reads a PEM chain, the server's certificate first, and its PEM key.
    ///
    /// Refuses what no client would accept: a key that is another's, a certificate that has ended.
    pub fn read(
        certificate: &Path,
        key: &Path,
        now: SystemTime,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let text = |path: &Path| {
            files::read(path)?.ok_or_else(|| AuthorityError::FileMissing { path: path.to_owned() })
        };
        let (cert_pem, key_pem) = (text(certificate)?, text(key)?);
        let unreadable = || AuthorityError::CertificateUnreadable { path: certificate.to_owned() };
        let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| unreadable())?;
        let first = chain.first().ok_or_else(unreadable)?.clone();
        let (_, parsed) = X509Certificate::from_der(&first).map_err(|_| unreadable())?;
        let key_unreadable = || AuthorityError::KeyUnreadable {
            path: key.to_owned(),
            source: rcgen::Error::CouldNotParseKeyPair,
        };
        let private =
            PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| key_unreadable())?;
        let private =
            aws_lc_rs::sign::any_supported_type(&private).map_err(|_| key_unreadable())?;
        CertifiedKey::new(chain, private).keys_match().map_err(|_| AuthorityError::KeyForeign {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })?;
        let not_after = not_after(&parsed);
        if not_after <= now {
            return Err(AuthorityError::Expired { path: certificate.to_owned() });
        }
        Ok(IssuedCertificate { cert_pem, key_pem, not_after })
    }

    /// Whether a client that asked for this DNS name or IP address finds it here.
    pub fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let Ok(der) = CertificateDer::from_pem_slice(self.cert_pem.as_bytes()) else {
            return false;
        };
        ParsedCertificate::try_from(&der)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}
