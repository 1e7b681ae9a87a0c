//! Server certificates: issued for names, kept in files, made anew when names or time ask for it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::current::blocks;
use crate::files::{self, Secrecy};
use crate::issue::{CLOCK_TOLERANCE, DAY, Serial, common_name, last_day, leaf, not_after};
use crate::{Authority, AuthorityError, names};

/// The longest life of a server certificate that all TLS clients in use accept is 825 days, the
/// day before it is made included.
const SERVER_LIFE: Duration = Duration::from_secs(825 * DAY.as_secs() - CLOCK_TOLERANCE.as_secs());

/// What has less than this left is made anew.
pub(crate) const RENEWAL: Duration = Duration::from_secs(30 * DAY.as_secs());

/// No host name, which some clients would look for in the limits of an authority.
const COMMON_NAME: &str = "Otaru server";

/// A server's certificate with its key.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate, followed by those between it and what clients trust.
    pub cert_pem: String,
    /// The private key, PKCS #8 where it is ours.
    pub key_pem: String,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
    /// The server's certificate for the ports of the devices, for these DNS names and IP addresses.
    ///
    /// Kept in the authority's directory and given again as long as it is for
    /// exactly these names, in any order, signed by this authority, and has 30
    /// days left; else a new one takes its place. While the authority before is believed, what
    /// that said of this one follows it.
    pub fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let place =
            Place { certificate: self.server_certificate_path(), key: self.server_key_path() };
        let current = self.current();
        let signer = Signer {
            issuer: &current.issuer,
            certificate: &current.own.der,
            not_after: current.own.not_after,
            chain_pem: current.chain_pem(),
        };
        signer.server_certificate(&place, names, now)
    }
}

/// Where a server certificate is kept.
pub(crate) struct Place {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// An authority that signs server certificates.
pub(crate) struct Signer<'a, K> {
    pub(crate) issuer: &'a Issuer<'static, K>,
    pub(crate) certificate: &'a CertificateDer<'static>,
    pub(crate) not_after: SystemTime,
    /// What follows the certificate for clients that do not trust this authority itself.
    pub(crate) chain_pem: &'a str,
}

impl<K: SigningKey> Signer<'_, K> {
    /// The kept certificate, or a new one in its place.
    pub(crate) fn server_certificate(
        &self,
        place: &Place,
        names: &[String],
        now: SystemTime,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let alternative_names = names::alternative_names(names)?;
        if let Some(kept) = self.kept(place, names, now)? {
            return Ok(kept);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let not_after = last_day(now + SERVER_LIFE, self.not_after);
        let mut params = leaf(&Serial::random()?, now, not_after);
        params.subject_alt_names = alternative_names;
        params.distinguished_name = common_name(COMMON_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let cert_pem = params.signed_by(&key, self.issuer)?.pem() + self.chain_pem;
        let key_pem = key.serialize_pem();
        // The key first: a certificate whose key does not fit is made anew at the next start.
        files::write(&place.key, &key_pem, Secrecy::Private)?;
        files::write(&place.certificate, &cert_pem, Secrecy::Public)?;
        Ok(IssuedCertificate { cert_pem, key_pem, not_after })
    }

    /// The kept certificate, if it may be used again.
    fn kept(
        &self,
        place: &Place,
        names: &[String],
        now: SystemTime,
    ) -> Result<Option<IssuedCertificate>, AuthorityError> {
        let (certificate, key) = (files::read(&place.certificate)?, files::read(&place.key)?);
        let (Some(cert_pem), Some(key_pem)) = (certificate, key) else { return Ok(None) };
        let Ok(der) = CertificateDer::from_pem_slice(cert_pem.as_bytes()) else { return Ok(None) };
        let Ok((_, parsed)) = X509Certificate::from_der(&der) else { return Ok(None) };
        let Ok(key) = KeyPair::from_pem(&key_pem) else { return Ok(None) };
        let (_, signer) = X509Certificate::from_der(self.certificate)
            .expect("the authority's certificate was parsed when it was opened");
        let not_after = not_after(&parsed);
        // What ends with its signer would not last longer made anew.
        let usable = (not_after > now + RENEWAL || not_after >= self.not_after)
            && blocks(&cert_pem).get(1..).is_some_and(|chain| chain.concat() == self.chain_pem)
            && parsed.public_key().subject_public_key.data == key.public_key_raw()
            && parsed.verify_signature(Some(signer.public_key())).is_ok()
            && names::names_of(&parsed) == names::canonical(names);
        Ok(usable.then_some(IssuedCertificate { cert_pem, key_pem, not_after }))
    }
}
