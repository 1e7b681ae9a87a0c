//! The certificate of an authority that somebody wants to be believed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::fingerprint;

/// What the certificate of an authority says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityCertificate {
    /// As DER.
    pub der: Vec<u8>,
    /// SHA-256 of it, lower-case hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of its public key, lower-case hexadecimal.
    pub key_sha256: String,
    /// What it calls itself, which anybody may.
    pub subject: String,
    /// From when on it holds.
    pub not_before: SystemTime,
    /// Until when it holds.
    pub not_after: SystemTime,
}

/// Why a certificate is none of an authority that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityCertificateError {
    /// There is not exactly one.
    #[error("it is not one PEM certificate")]
    NotOne,
    /// It is of no authority.
    #[error("it may not sign certificates: `CA:TRUE` or `keyCertSign` is missing")]
    NoAuthority,
}

impl AuthorityCertificate {
    /// Reads a PEM text that holds one certificate.
    pub fn from_pem(text: &str) -> Result<AuthorityCertificate, AuthorityCertificateError> {
        let all: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match all.as_deref() {
            Ok([one]) => AuthorityCertificate::from_der(one),
            _ => Err(AuthorityCertificateError::NotOne),
        }
    }

    /// Reads a DER certificate.
    pub fn from_der(der: &[u8]) -> Result<AuthorityCertificate, AuthorityCertificateError> {
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|_| AuthorityCertificateError::NotOne)?;
        let may_sign = match parsed.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        };
        let is_believable = webpki::anchor_from_trusted_cert(&CertificateDer::from(der)).is_ok();
        if !parsed.is_ca() || !may_sign || !is_believable {
            return Err(AuthorityCertificateError::NoAuthority);
        }
        let time = |at: x509_parser::time::ASN1Time| {
            UNIX_EPOCH + Duration::from_secs(at.timestamp().max(0).unsigned_abs())
        };
        let key = Sha256::digest(parsed.public_key().raw);
        Ok(AuthorityCertificate {
            der: der.to_vec(),
            fingerprint: fingerprint(der),
            key_sha256: key.iter().map(|byte| format!("{byte:02x}")).collect(),
            subject: parsed.subject().to_string(),
            not_before: time(parsed.validity().not_before),
            not_after: time(parsed.validity().not_after),
        })
    }
}
