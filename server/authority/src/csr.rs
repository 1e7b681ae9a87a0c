//! Certificates for keys that never leave their device: PKCS #10 requests are read and signed.
//!
//! Of a request nothing but the public key counts, and that whoever sent it has the private one.
//! Subject, alternative names and extensions it asks for are not looked at: who the holder is
//! says the caller.

use std::time::{Duration, SystemTime};

use otaru_doors::fingerprint;
use otaru_wire::{OrganisationId, ThingName};
use rcgen::{
    DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm,
};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer, X509CertificationRequest};
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::issue::{Serial, common_name, last_day, leaf};
use crate::{Authority, AuthorityError};

/// Longest request, as PEM: several times one with an RSA key of 4096 bits.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// CN of a certificate whose holder is found by its serial number. No thing name has spaces.
pub const UNNAMED_HOLDER: &str = "Otaru device certificate";

/// CN of a certificate of a whole batch, which is nobody's.
pub const CLAIM_HOLDER: &str = "Otaru claim certificate";

/// Why a request is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than [`REQUEST_BYTES_MAX`].
    #[error("longer than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    /// Not exactly one PEM section `CERTIFICATE REQUEST` that holds a PKCS #10 request.
    #[error("expected one PKCS #10 request in PEM")]
    Malformed,
    /// A kind of key, or a size of it, that is not signed.
    #[error("the key is none of P-256, P-384, Ed25519 and RSA of 2048 to 4096 bits")]
    Key,
    /// Its own signature is of a kind that proves nothing any more, or that is not verified.
    #[error("the request is not signed with SHA-256, SHA-384, SHA-512 or Ed25519")]
    Signature,
    /// Whoever sent it does not have the private key.
    #[error("the request is not signed by its own key")]
    Possession,
}

/// A request whose sender has proved to hold the private key.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    key: RequestedKey,
}

/// A public key as it stands in a certificate.
#[derive(Clone, Debug)]
pub(crate) struct RequestedKey {
    algorithm: &'static SignatureAlgorithm,
    bytes: Vec<u8>,
}

/// Who holds the key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// This thing.
    Thing(&'a ThingName),
    /// Nobody yet: the serial number will say.
    Unnamed,
}

/// What a certificate is for whose key the authority makes, and that names no thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// A device, which its serial number will name.
    Device,
    /// A whole batch of devices, to become things with.
    Claim,
}

/// A certificate and whose key it is for.
#[derive(Clone, Debug)]
pub struct SignedDevice {
    /// The certificate, without the authority's.
    pub cert_pem: String,
    /// SHA-256 of the authority's certificate, lower-case hexadecimal.
    pub issuer: String,
    /// Serial number, lower-case hexadecimal without leading zeros: what is revoked.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of the public key, as [`CertificateRequest::key_digest`].
    pub key_sha256: String,
    /// When it ends.
    pub not_after: SystemTime,
}

impl CertificateRequest {
    /// Reads a request in PEM and checks its key and the proof that its sender has it.
    pub fn parse(pem: &str) -> Result<CertificateRequest, RequestError> {
        if pem.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong);
        }
        let der = der_of(pem).ok_or(RequestError::Malformed)?;
        let (_, request) = X509CertificationRequest::from_der(&der)
            .ok()
            .filter(|(rest, _)| rest.is_empty())
            .ok_or(RequestError::Malformed)?;
        let key = RequestedKey::of(&request.certification_request_info.subject_pki)?;
        if !is_hash_good(&request) {
            return Err(RequestError::Signature);
        }
        request.verify_signature().map_err(|_| RequestError::Possession)?;
        Ok(CertificateRequest { key })
    }

    /// SHA-256 of the public key as X.509 writes it, lower-case hexadecimal: the same for every
    /// request with this key.
    pub fn key_digest(&self) -> String {
        digest_of(&self.key)
    }
}

impl Authority {
    /// Signs the key of a request: the certificate makes its holder a client, nothing else.
    ///
    /// It ends after `life`, or with the authority.
    pub fn sign_device(
        &self,
        request: &CertificateRequest,
        holder: Holder<'_>,
        organisation: &OrganisationId,
        life: Duration,
        now: SystemTime,
    ) -> Result<SignedDevice, AuthorityError> {
        let name = match holder {
            Holder::Thing(thing) if !thing.is_registrable() => {
                return Err(AuthorityError::ThingNameTooLong { thing: thing.to_string() });
            }
            Holder::Thing(thing) => thing.as_str(),
            Holder::Unnamed => UNNAMED_HOLDER,
        };
        self.sign(&request.key, name, organisation, life, now)
    }

    /// Makes a key and signs it, for who cannot make one: the certificate and, PKCS #8, the key,
    /// which is kept nowhere else.
    pub fn issue_unnamed(
        &self,
        holder: Unnamed,
        organisation: &OrganisationId,
        life: Duration,
        now: SystemTime,
    ) -> Result<(SignedDevice, String), AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let name = match holder {
            Unnamed::Device => UNNAMED_HOLDER,
            Unnamed::Claim => CLAIM_HOLDER,
        };
        Ok((self.sign(&key, name, organisation, life, now)?, key.serialize_pem()))
    }

    pub(crate) fn sign(
        &self,
        key: &impl PublicKeyData,
        name: &str,
        organisation: &OrganisationId,
        life: Duration,
        now: SystemTime,
    ) -> Result<SignedDevice, AuthorityError> {
        let (serial, current) = (Serial::random()?, self.current());
        if current.own.not_after <= now {
            return Err(AuthorityError::Ended);
        }
        let not_after = last_day(now + life, current.own.not_after);
        let mut params = leaf(&serial, now, not_after);
        params.distinguished_name = common_name(name);
        params.distinguished_name.push(DnType::OrganizationName, organisation.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(key, &current.issuer)?;
        Ok(SignedDevice {
            cert_pem: certificate.pem(),
            issuer: fingerprint(&current.own.der),
            serial: serial.as_hex(),
            fingerprint: hex(&Sha256::digest(certificate.der())),
            key_sha256: digest_of(key),
            not_after,
        })
    }
}

fn digest_of(key: &impl PublicKeyData) -> String {
    hex(&Sha256::digest(key.subject_public_key_info()))
}

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// The one request of a PEM text.
fn der_of(pem: &str) -> Option<CertificateSigningRequestDer<'static>> {
    // As Java's keytool writes it.
    let pem = pem.replace("NEW CERTIFICATE REQUEST", "CERTIFICATE REQUEST");
    let mut requests = CertificateSigningRequestDer::pem_slice_iter(pem.as_bytes());
    match (requests.next(), requests.next()) {
        (Some(Ok(only)), None) => Some(only),
        _ => None,
    }
}

impl RequestedKey {
    /// The key, if it is of a kind and size that is signed.
    pub(crate) fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<RequestedKey, RequestError> {
        key_of(info)
    }
}

/// Its bytes must be in the one form that TLS has for them: the library that verifies signatures
/// takes others, too.
fn key_of(info: &SubjectPublicKeyInfo<'_>) -> Result<RequestedKey, RequestError> {
    let bytes: &[u8] = &info.subject_public_key.data;
    let kind = &info.algorithm.algorithm;
    let curve = info.algorithm.parameters.as_ref().and_then(|found| found.as_oid().ok());
    let is_point = |length| bytes.len() == length && bytes[0] == 0x04;
    let algorithm = if *kind == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        match curve {
            Some(curve) if curve == oid::OID_EC_P256 && is_point(65) => &PKCS_ECDSA_P256_SHA256,
            Some(curve) if curve == oid::OID_NIST_EC_P384 && is_point(97) => {
                &PKCS_ECDSA_P384_SHA384
            }
            _ => return Err(RequestError::Key),
        }
    } else if *kind == oid::OID_SIG_ED25519 && bytes.len() == 32 {
        &PKCS_ED25519
    } else if *kind == oid::OID_PKCS1_RSAENCRYPTION && is_rsa_good(info) {
        &PKCS_RSA_SHA256
    } else {
        return Err(RequestError::Key);
    };
    Ok(RequestedKey { algorithm, bytes: bytes.to_vec() })
}

/// 2048 to 4096 bits, with the exponent that all in use have or a greater one.
fn is_rsa_good(info: &SubjectPublicKeyInfo<'_>) -> bool {
    let Ok(PublicKey::RSA(RSAPublicKey { modulus, exponent })) = info.parsed() else {
        return false;
    };
    let modulus = without_zeros(modulus);
    let bits =
        modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    let exponent = without_zeros(exponent)
        .iter()
        .try_fold(0_u32, |sum, &byte| sum.checked_mul(256)?.checked_add(u32::from(byte)));
    (2048..=4096).contains(&bits) && exponent.is_some_and(|e| e >= 65_537 && e % 2 == 1)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

/// Whether the request is signed in a way that can be relied on. SHA-1 would verify, too.
fn is_hash_good(request: &X509CertificationRequest<'_>) -> bool {
    let good = [
        oid::OID_SIG_ECDSA_WITH_SHA256,
        oid::OID_SIG_ECDSA_WITH_SHA384,
        oid::OID_SIG_ED25519,
        oid::OID_PKCS1_SHA256WITHRSA,
        oid::OID_PKCS1_SHA384WITHRSA,
        oid::OID_PKCS1_SHA512WITHRSA,
    ];
    good.contains(&request.signature_algorithm.algorithm)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
