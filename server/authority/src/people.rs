//! The authority of the people: what a phone is asked to trust.
//!
//! Whoever trusts an authority believes it about every server there is, so phones are not asked
//! to trust the one of the devices. They get a root that is limited to the names of this server
//! (X.509 name constraints) and whose key is thrown away once it has signed one issuer with the
//! same limits: some clients do not look at the limits of a root, all look at those below it.
//!
//! The authority of the devices vouches for the root as well, so that tools which have its
//! `ca.pem` may use it on every port. Where another takes that one's place the root stays, and
//! both vouch for it as long as both are believed.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SubjectPublicKeyInfo,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::current::{Current, blocks};
use crate::files::{self, Secrecy};
use crate::issue::{DAY, Serial, common_name, last_day, not_after, valid_from, valid_until};
use crate::server::{Place, RENEWAL, Signer};
use crate::{Authority, AuthorityError, IssuedCertificate, names};

/// How long a phone may trust the root: longer than phones are kept.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());

/// Authorities below the root: the issuer.
const BELOW_ROOT: u8 = 1;

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
        let (current, kept) = (self.current(), files::read(&bundle)?);
        let usable = kept.as_deref().and_then(|kept| People::read(kept, names, now));
        let has_replaced_root = kept.is_some() && usable.is_none();
        let made = || {
            let made = make_people(names, now)?;
            People::read(&made, names, now).ok_or(AuthorityError::People)
        };
        let mut people = usable.map_or_else(made, Ok)?;
        people.be_vouched_for(&current, now)?;
        let text = people.text();
        if kept.as_deref() != Some(&*text) {
            // One file, so that key and certificates are always of one making.
            files::write(&bundle, &text, Secrecy::Private)?;
        }
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
            chain_pem: &people.chain_pem(),
        };
        let server = signer.server_certificate(&place, names, now)?;
        Ok(PeopleCertificate { server, root: people.root, has_replaced_root })
    }

    /// Where the certificate is on disk that people's browsers have to trust.
    pub fn people_root_path(&self) -> PathBuf {
        self.dir().join("people-ca.pem")
    }
}

/// A new root and its issuer: the issuer's key, its certificate, the root.
///
/// They may outlive the authority of the devices, which signs neither: people have to get in to put
/// another one in its place.
fn make_people(names: &[String], now: SystemTime) -> Result<String, AuthorityError> {
    let (serial, end) = (Serial::random()?, now + ROOT_LIFE);
    let authority = |title: &str, below: u8| -> Result<CertificateParams, AuthorityError> {
        // Part of the name is random: a phone that trusts two must be able to tell them apart.
        let name = format!("Otaru {title} {}", &serial.as_hex()[..8]);
        limited_authority(&name, below, names, (now, end))
    };
    let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let root = authority(&first(names), BELOW_ROOT)?;
    let root_pem = root.self_signed(&root_key)?.pem();

    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut issuer = authority("issuer", 0)?;
    issuer.extended_key_usages = for_servers();
    // Here the root's key ends.
    let issuer_pem = issuer.signed_by(&key, &Issuer::new(root, root_key))?.pem();
    Ok([key.serialize_pem(), issuer_pem, root_pem].concat())
}

/// An authority that is limited to these names and what is below them.
fn limited_authority(
    name: &str,
    below: u8,
    names: &[String],
    (now, end): (SystemTime, SystemTime),
) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.serial_number = Some(Serial::random()?.to_rcgen());
    (params.not_before, params.not_after) = (valid_from(now), valid_until(end));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(names::limits(names));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// What it signs is no client, least of all a device.
fn for_servers() -> Vec<ExtendedKeyUsagePurpose> {
    vec![ExtendedKeyUsagePurpose::ServerAuth]
}

/// What signs the server's certificates for people.
struct People {
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
    issuer_pem: String,
    certificate: CertificateDer<'static>,
    not_after: SystemTime,
    /// The words of authorities of the devices for the root.
    vouchers: Vec<String>,
    root: PeopleRoot,
}

impl People {
    /// What [`People::text`] said, unless it is of no use any more.
    fn read(text: &str, names: &[String], now: SystemTime) -> Option<People> {
        let mut all = blocks(text);
        let root_pem = all.pop()?;
        let vouchers = all.split_off(2.min(all.len()));
        let [key_pem, issuer_pem] = <[String; 2]>::try_from(all).ok()?;
        let key = KeyPair::from_pem(&key_pem).ok()?;
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).ok();
        let (issuer_der, root_der) = (der(&issuer_pem)?, der(&root_pem)?);
        let (_, issuer) = X509Certificate::from_der(&issuer_der).ok()?;
        let (_, parsed_root) = X509Certificate::from_der(&root_der).ok()?;
        let not_after = not_after(&issuer);
        let usable = not_after > now + RENEWAL
            && issuer.public_key().subject_public_key.data == key.public_key_raw()
            && issuer.verify_signature(Some(parsed_root.public_key())).is_ok()
            && names::is_limited_to(&issuer, names);
        usable.then_some(())?;
        Some(People {
            key_pem,
            issuer: Issuer::from_ca_cert_der(&issuer_der, key).ok()?,
            issuer_pem,
            certificate: issuer_der.clone().into_owned(),
            not_after,
            vouchers,
            root: PeopleRoot { pem: root_pem, der: root_der.to_vec() },
        })
    }

    /// As it is kept.
    fn text(&self) -> String {
        [&*self.key_pem, &self.issuer_pem, &self.vouchers.concat(), &self.root.pem].concat()
    }

    /// What follows a certificate of the issuer.
    fn chain_pem(&self) -> String {
        [&*self.issuer_pem, &self.vouchers.concat()].concat()
    }

    /// Drops the words of authorities that are believed no more, and takes that of the present one.
    ///
    /// That of the one before stays first: some clients try the first alone, and of its devices
    /// most know no other yet.
    fn be_vouched_for(&mut self, current: &Current, now: SystemTime) -> Result<(), AuthorityError> {
        let root = X509Certificate::from_der(&self.root.der).map_err(|_| AuthorityError::People)?.1;
        let is_word_of = |voucher: &String, authority: &X509Certificate<'_>| {
            let Ok(der) = CertificateDer::from_pem_slice(voucher.as_bytes()) else { return false };
            X509Certificate::from_der(&der).is_ok_and(|(_, voucher)| {
                voucher.public_key() == root.public_key()
                    && voucher.verify_signature(Some(authority.public_key())).is_ok()
            })
        };
        let find = |authority: &X509Certificate<'_>| {
            self.vouchers.iter().find(|voucher| is_word_of(voucher, authority)).cloned()
        };
        let before = current.before.as_ref();
        let before = before.and_then(|before| find(&before.certificate.parsed()));
        let own = match find(&current.own.parsed()) {
            Some(own) => own,
            None => vouched_for(&root, current, now)?,
        };
        self.vouchers = before.into_iter().chain([own]).collect();
        Ok(())
    }
}

/// The word of the devices' authority for a root, within the root's own limits.
fn vouched_for(
    root: &X509Certificate<'_>,
    current: &Current,
    now: SystemTime,
) -> Result<String, AuthorityError> {
    let name = root.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let name = name.ok_or(AuthorityError::People)?;
    let names: Vec<String> = names::limited_to(root).into_iter().collect();
    let end = last_day(not_after(root), current.own.not_after);
    let mut params = limited_authority(name, BELOW_ROOT, &names, (now, end))?;
    params.extended_key_usages = for_servers();
    let key = SubjectPublicKeyInfo::from_der(root.public_key().raw)?;
    Ok(params.signed_by(&key, &current.issuer)?.pem())
}

/// A common name holds 64 characters, and more than the name stands in it.
fn first(names: &[String]) -> String {
    names[0].chars().take(40).collect()
}
