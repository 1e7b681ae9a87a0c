//! Certificates the authority issues: the server's own, and one per device.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use otaru_wire::{OrganisationId, ThingName};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::{self, Secrecy};
use crate::{Authority, AuthorityError};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificates are valid a day before they are made: the clock of the other side may be slow.
const CLOCK_TOLERANCE: Duration = DAY;

/// The longest life of a server certificate that all TLS clients in use accept (825 days).
const SERVER_LIFE: Duration = Duration::from_secs(825 * 24 * 60 * 60);

/// A server certificate with less than this left is made anew.
const SERVER_RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A device keeps its certificate for life; it is ended by revocation.
const DEVICE_LIFE: Duration = Duration::from_secs(25 * 365 * 24 * 60 * 60);

/// The server's certificate with its key.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate, without the authority's.
    pub cert_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: String,
    /// When it ends.
    pub not_after: SystemTime,
}

/// A device's certificate with its key. The key is kept nowhere else.
#[derive(Clone)]
pub struct IssuedDevice {
    /// The certificate, without the authority's.
    pub cert_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: String,
    /// Serial number, lower-case hexadecimal without leading zeros: what is revoked.
    pub serial: String,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
    /// The server's certificate for these DNS names and IP addresses.
    ///
    /// Kept in the authority's directory and given again as long as it is for
    /// exactly these names, in any order, signed by this authority, and has 30
    /// days left; else a new one takes its place.
    pub fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<IssuedCertificate, AuthorityError> {
        if names.is_empty() {
            return Err(AuthorityError::NoServerName);
        }
        if let Some(kept) = self.kept_server(names, now)? {
            return Ok(kept);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let not_after = self.last_day(now + SERVER_LIFE);
        let mut params = self.leaf(&Serial::random()?, now, not_after);
        for name in names {
            let name = CertificateParams::new(vec![name.clone()])
                .map_err(|_| AuthorityError::ServerName { name: name.clone() })?;
            params.subject_alt_names.extend(name.subject_alt_names);
        }
        params.distinguished_name = common_name(&shortened(&names[0]));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let cert_pem = params.signed_by(&key, self.issuer())?.pem();
        let key_pem = key.serialize_pem();
        // The key first: a certificate whose key does not fit is made anew at the next start.
        files::write(&self.server_key_path(), &key_pem, Secrecy::Private)?;
        files::write(&self.server_certificate_path(), &cert_pem, Secrecy::Public)?;
        Ok(IssuedCertificate { cert_pem, key_pem, not_after })
    }

    /// A certificate that makes its holder the thing: CN is the thing name, O the organisation.
    pub fn issue_device(
        &self,
        thing: &ThingName,
        organisation: &OrganisationId,
        now: SystemTime,
    ) -> Result<IssuedDevice, AuthorityError> {
        if !thing.is_registrable() {
            return Err(AuthorityError::ThingNameTooLong { thing: thing.to_string() });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let serial = Serial::random()?;
        let not_after = self.last_day(now + DEVICE_LIFE);
        let mut params = self.leaf(&serial, now, not_after);
        params.distinguished_name = common_name(thing.as_str());
        params.distinguished_name.push(DnType::OrganizationName, organisation.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let cert_pem = params.signed_by(&key, self.issuer())?.pem();
        let (key_pem, serial) = (key.serialize_pem(), serial.as_hex());
        Ok(IssuedDevice { cert_pem, key_pem, serial, not_after })
    }

    /// What both kinds of certificate have in common.
    fn leaf(&self, serial: &Serial, now: SystemTime, not_after: SystemTime) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.serial_number = Some(serial.to_rcgen());
        params.not_before = valid_from(now);
        params.not_after = valid_until(not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
    }

    /// A certificate never outlives the authority; X.509 counts whole seconds.
    fn last_day(&self, wished: SystemTime) -> SystemTime {
        from_time(valid_until(wished.min(self.not_after())))
    }

    /// The kept server certificate, if it may be used again.
    fn kept_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<Option<IssuedCertificate>, AuthorityError> {
        let certificate = files::read(&self.server_certificate_path())?;
        let key = files::read(&self.server_key_path())?;
        let (Some(cert_pem), Some(key_pem)) = (certificate, key) else { return Ok(None) };
        let Ok(der) = CertificateDer::from_pem_slice(cert_pem.as_bytes()) else { return Ok(None) };
        let Ok((_, parsed)) = X509Certificate::from_der(&der) else { return Ok(None) };
        let Ok(key) = KeyPair::from_pem(&key_pem) else { return Ok(None) };
        let (_, authority) = X509Certificate::from_der(self.ca_der())
            .expect("the authority's certificate was parsed when it was opened");
        let not_after = not_after(&parsed);
        let usable = not_after > now + SERVER_RENEWAL
            && parsed.public_key().subject_public_key.data == key.public_key_raw()
            && parsed.verify_signature(Some(authority.public_key())).is_ok()
            && names_of(&parsed) == names.iter().map(|name| canonical(name)).collect();
        Ok(usable.then_some(IssuedCertificate { cert_pem, key_pem, not_after }))
    }
}

/// Reads a private key; the path is only for the error.
pub(crate) fn read_key(path: &Path, pem: &str) -> Result<KeyPair, AuthorityError> {
    KeyPair::from_pem(pem)
        .map_err(|source| AuthorityError::KeyUnreadable { path: path.to_owned(), source })
}

/// When a certificate ends.
pub(crate) fn not_after(certificate: &X509Certificate<'_>) -> SystemTime {
    from_time(certificate.validity().not_after.to_datetime())
}

/// The first second of validity of a certificate made now.
pub(crate) fn valid_from(now: SystemTime) -> OffsetDateTime {
    whole_seconds(now - CLOCK_TOLERANCE)
}

/// The last second of validity.
pub(crate) fn valid_until(end: SystemTime) -> OffsetDateTime {
    whole_seconds(end)
}

fn whole_seconds(time: SystemTime) -> OffsetDateTime {
    OffsetDateTime::from(time).replace_nanosecond(0).expect("zero is a nanosecond")
}

fn from_time(time: OffsetDateTime) -> SystemTime {
    time.into()
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// A common name holds 64 characters; clients look at the alternative names anyway.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn canonical(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_owned(),
    }
}

/// The names a certificate is for, as [`canonical`] writes them.
fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            16 => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => None,
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

/// A certificate's serial number: 126 random bits after a leading 01, so that
/// it is positive, never starts with a zero digit, and has one text form.
pub(crate) struct Serial([u8; 16]);

impl Serial {
    pub(crate) fn random() -> Result<Serial, AuthorityError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        bytes[0] = (bytes[0] & 0x3f) | 0x40;
        Ok(Serial(bytes))
    }

    /// Lower-case hexadecimal, as [`crate::PeerCertificate`] reads it back.
    pub(crate) fn as_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn to_rcgen(&self) -> SerialNumber {
        SerialNumber::from_slice(&self.0)
    }
}
