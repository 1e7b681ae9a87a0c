//! Certificates of devices, and what all certificates have in common.

use std::path::Path;
use std::time::{Duration, SystemTime};

use otaru_wire::{OrganisationId, ThingName};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::prelude::X509Certificate;

use crate::{Authority, AuthorityError, SignedDevice};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Certificates are valid a day before they are made: the clock of the other side may be slow.
pub(crate) const CLOCK_TOLERANCE: Duration = DAY;

/// How many days a device's certificate holds where nobody says otherwise: one that cannot renew it
/// keeps it for life, and it is ended by revocation.
pub const DEVICE_DAYS: u32 = 25 * 365;

/// A device's certificate with its key. The key is kept nowhere else.
#[derive(Clone)]
pub struct IssuedDevice {
    /// The certificate, without the authority's.
    pub cert_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: String,
    /// SHA-256 of the authority's certificate, lower-case hexadecimal.
    pub issuer: String,
    /// Serial number, lower-case hexadecimal without leading zeros: what is revoked.
    pub serial: String,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
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
        let signed = self.sign(&key, thing.as_str(), organisation, DEVICE_DAYS * DAY, now)?;
        let SignedDevice { cert_pem, issuer, serial, not_after, .. } = signed;
        let key_pem = key.serialize_pem();
        Ok(IssuedDevice { cert_pem, key_pem, issuer, serial, not_after })
    }
}

/// What all certificates that are no authority's have in common.
pub(crate) fn leaf(serial: &Serial, now: SystemTime, not_after: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial.to_rcgen());
    params.not_before = valid_from(now);
    params.not_after = valid_until(not_after);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A certificate never outlives who signed it; X.509 counts whole seconds.
pub(crate) fn last_day(wished: SystemTime, signer_ends: SystemTime) -> SystemTime {
    from_time(valid_until(wished.min(signer_ends)))
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

pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
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

    /// Lower-case hexadecimal, as `PeerCertificate` of `server/doors` reads it back.
    pub(crate) fn as_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn to_rcgen(&self) -> SerialNumber {
        SerialNumber::from_slice(&self.0)
    }
}
