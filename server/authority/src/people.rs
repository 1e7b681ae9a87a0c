//! The authority of the people: what a phone is asked to trust.
//!
//! Whoever trusts an authority believes it about every server there is, so phones are not asked
//! to trust the one of the devices. They get a root that is limited to the names of this server
//! (X.509 name constraints) and whose key is thrown away once it has signed one issuer with the
//! same limits: some clients do not look at the limits of a root, all look at those below it.
//!
//! The authority of the devices vouches for the root as well, so that tools which have its
//! `ca.pem` may use it on every port.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::{self, Secrecy};
use crate::issue::{DAY, Serial, common_name, last_day, not_after, valid_from, valid_until};
use crate::server::{Place, RENEWAL, Signer};
use crate::{Authority, AuthorityError, IssuedCertificate, names};

/// How long a phone may trust the root: longer than phones are kept.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());

/// The server's certificate for people, and what their browsers have to trust.
#[derive(Clone)]
pub struct PeopleCertificate {
    /// The certificate with its chain.
    pub server: IssuedCertificate,
    /// What browsers have to trust.
    pub root: PeopleRoot,
    /// An earlier root was of no use any more: whoever trusted it must trust this one now.
    pub has_replaced_root: bool,
}

/// The certificate that people's browsers have to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleRoot {
    /// As PEM.
    pub pem: String,
    /// As DER.
    pub der: Vec<u8>,
}

impl PeopleRoot {
    /// SHA-256 as phones show it: `AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        let bytes: Vec<String> =
            Sha256::digest(&self.der).iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }
}

impl Authority {
    /// The server's certificate for the port of the people, for these DNS names and IP addresses.
    ///
    /// Given again under the conditions of [`Authority::issue_server`]. The root stays as long
    /// as its limits have room for all names; one name more, and there is another root.
    pub fn issue_people(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<PeopleCertificate, AuthorityError> {
        // Names that no certificate can hold must not cost a root that phones trust.
        names::alternative_names(names)?;
        let bundle = self.dir().join("people-issuer.pem");
        let kept = files::read(&bundle)?;
        let usable = kept.as_deref().and_then(|kept| self.read_people(kept, names, now));
        let has_replaced_root = kept.is_some() && usable.is_none();
        let people = match usable {
            Some(people) => people,
            None => {
                let made = self.make_people(names, now)?;
                // One file, so that key and certificates are always of one making.
                files::write(&bundle, &made, Secrecy::Private)?;
                self.read_people(&made, names, now).ok_or(AuthorityError::People)?
            }
        };
        let root_path = self.people_root_path();
        if files::read(&root_path)?.as_ref() != Some(&people.root.pem) {
            files::write(&root_path, &people.root.pem, Secrecy::Public)?;
        }
        let place = Place {
            certificate: self.dir().join("people.pem"),
            key: self.dir().join("people.key"),
        };
        let signer = Signer {
            issuer: &people.issuer,
            certificate: &people.certificate,
            not_after: people.not_after,
            chain_pem: &people.chain_pem,
        };
        let server = signer.server_certificate(&place, names, now)?;
        Ok(PeopleCertificate { server, root: people.root, has_replaced_root })
    }

    /// Where the certificate is on disk that people's browsers have to trust.
    pub fn people_root_path(&self) -> PathBuf {
        self.dir().join("people-ca.pem")
    }

    /// A new root and its issuer: the issuer's key, its certificate, the word of the devices'
    /// authority for the root, the root.
    fn make_people(&self, names: &[String], now: SystemTime) -> Result<String, AuthorityError> {
        let (serial, end) = (Serial::random()?, last_day(now + ROOT_LIFE, self.not_after()));
        let authority = |title: &str, below: u8| -> Result<CertificateParams, AuthorityError> {
            let mut params = CertificateParams::default();
            // Part of the name is random: a phone that trusts two must be able to tell them apart.
            params.distinguished_name =
                common_name(&format!("Otaru {title} {}", &serial.as_hex()[..8]));
            params.serial_number = Some(Serial::random()?.to_rcgen());
            (params.not_before, params.not_after) = (valid_from(now), valid_until(end));
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.name_constraints = Some(names::limits(names));
            params.use_authority_key_identifier_extension = true;
            Ok(params)
        };
        // What it signs is no client, least of all a device.
        let for_servers = || vec![ExtendedKeyUsagePurpose::ServerAuth];

        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let root = authority(&first(names), 1)?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let mut vouched = authority(&first(names), 1)?;
        vouched.extended_key_usages = for_servers();
        let vouched_pem = vouched.signed_by(&root_key, self.issuer())?.pem();

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut issuer = authority("issuer", 0)?;
        issuer.extended_key_usages = for_servers();
        // Here the root's key ends.
        let issuer_pem = issuer.signed_by(&key, &Issuer::new(root, root_key))?.pem();
        Ok([key.serialize_pem(), issuer_pem, vouched_pem, root_pem].concat())
    }

    /// What [`Authority::make_people`] wrote, unless it is of no use any more.
    fn read_people(&self, text: &str, names: &[String], now: SystemTime) -> Option<People> {
        let [key, certificate, vouched_pem, root] = <[String; 4]>::try_from(blocks(text)).ok()?;
        let key = KeyPair::from_pem(&key).ok()?;
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).ok();
        let (issuer_der, vouched_der, root_der) =
            (der(&certificate)?, der(&vouched_pem)?, der(&root)?);
        let (_, issuer) = X509Certificate::from_der(&issuer_der).ok()?;
        let (_, vouched) = X509Certificate::from_der(&vouched_der).ok()?;
        let (_, parsed_root) = X509Certificate::from_der(&root_der).ok()?;
        let (_, devices) = X509Certificate::from_der(self.ca_der()).ok()?;
        let not_after = not_after(&issuer);
        let usable = not_after > now + RENEWAL
            && issuer.public_key().subject_public_key.data == key.public_key_raw()
            && issuer.verify_signature(Some(parsed_root.public_key())).is_ok()
            && vouched.verify_signature(Some(devices.public_key())).is_ok()
            && vouched.public_key() == parsed_root.public_key()
            && names::is_limited_to(&issuer, names);
        let chain_pem = certificate + &vouched_pem;
        usable.then_some(())?;
        Some(People {
            issuer: Issuer::from_ca_cert_der(&issuer_der, key).ok()?,
            certificate: issuer_der.clone().into_owned(),
            not_after,
            chain_pem,
            root: PeopleRoot { pem: root, der: root_der.to_vec() },
        })
    }
}

/// What signs the server's certificates for people.
struct People {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    not_after: SystemTime,
    chain_pem: String,
    root: PeopleRoot,
}

/// A common name holds 64 characters, and more than the name stands in it.
fn first(names: &[String]) -> String {
    names[0].chars().take(40).collect()
}

/// The parts of a PEM text.
fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), String::new());
    for line in text.lines() {
        block.extend([line, "\n"]);
        if line.starts_with("-----END ") {
            blocks.push(std::mem::take(&mut block));
        }
    }
    blocks
}
