//! What a client certificate says about its holder, and of itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that TLS has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// CN: the thing name.
    pub common_name: String,
    /// SHA-256 of the certificate of the authority that the chain led to, lower-case hexadecimal.
    pub issuer: String,
    /// Serial number, lower-case hexadecimal without leading zeros. Unique for its issuer alone.
    pub serial: String,
    /// O: the organisation.
    pub organisation: Option<String>,
    /// SHA-256 of the public key, lower-case hexadecimal: its holder has shown to have the other.
    pub key_sha256: String,
}

/// Why a certificate names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerCertificateError {
    /// The bytes are not a DER X.509 certificate.
    #[error("not an X.509 certificate")]
    Malformed,
    /// There is not exactly one common name, or it is not text.
    #[error("expected exactly one common name")]
    CommonName,
}

impl PeerCertificate {
    /// Reads a DER certificate, such as the first of rustls' `peer_certificates`.
    ///
    /// Trust is not checked here: `issuer` is the caller's word.
    pub fn read(der: &[u8], issuer: &str) -> Result<PeerCertificate, PeerCertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| PeerCertificateError::Malformed)?;
        let subject = certificate.subject();
        let mut common_names = subject.iter_common_name();
        let common_name = match (common_names.next(), common_names.next()) {
            (Some(name), None) => name.as_str().map_err(|_| PeerCertificateError::CommonName)?,
            _ => return Err(PeerCertificateError::CommonName),
        };
        let organisation = subject.iter_organization().next().and_then(|name| name.as_str().ok());
        Ok(PeerCertificate {
            common_name: common_name.to_owned(),
            issuer: issuer.to_owned(),
            serial: certificate.serial.to_str_radix(16),
            organisation: organisation.map(str::to_owned),
            key_sha256: key_sha256(&certificate),
        })
    }
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// When it ends.
    pub not_after: SystemTime,
    /// SHA-256 of its public key, lower-case hexadecimal.
    pub key_sha256: String,
}

impl CertificateFacts {
    /// Reads a DER certificate; trust is not checked here.
    pub fn read(der: &[u8]) -> Result<CertificateFacts, PeerCertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| PeerCertificateError::Malformed)?;
        let ends = certificate.validity().not_after.timestamp().max(0).unsigned_abs();
        Ok(CertificateFacts {
            not_after: UNIX_EPOCH + Duration::from_secs(ends),
            key_sha256: key_sha256(&certificate),
        })
    }
}

fn key_sha256(certificate: &X509Certificate<'_>) -> String {
    let digest = Sha256::digest(certificate.public_key().raw);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
