//! What phones trust, and what it is worth to somebody who stole it.

use std::fs;
use std::sync::Arc;

use otaru_authority::{IssuedCertificate, IssuedDevice, PeopleCertificate};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::handshake::{Outcome, shake_hands};
use crate::{DAY, Room, local, names, now, room};

impl Room {
    fn people(&self, wanted: &[&str]) -> PeopleCertificate {
        self.authority.issue_people(&names(wanted), now()).unwrap()
    }

    fn people_port(&self, people: &PeopleCertificate) -> Arc<ServerConfig> {
        self.authority.people_tls(&people.server).unwrap()
    }

    /// What somebody with all files of the server can sign for people's browsers.
    fn stolen(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> IssuedCertificate {
        let bundle = fs::read_to_string(self.ca("people-issuer.pem")).unwrap();
        let key = KeyPair::from_pem(&bundle).unwrap();
        let chain = bundle.split_once("-----END PRIVATE KEY-----\n").unwrap().1;
        let issuer = Issuer::from_ca_cert_pem(chain, key).unwrap();
        let leaf_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&leaf_key, &issuer).unwrap();
        IssuedCertificate {
            cert_pem: certificate.pem() + chain,
            key_pem: leaf_key.serialize_pem(),
            not_after: now() + DAY,
        }
    }
}

fn is_connected(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Connected(None))
}

#[test]
fn phones_and_tools_reach_every_name() {
    let room = room();
    let wanted = ["ota.lan", "*.home.lan", "192.168.1.5", "fd00::5"];
    let people = room.people(&wanted);
    for name in ["ota.lan", "my.home.lan", "192.168.1.5", "fd00::5"] {
        for trusted in [&people.root.pem, &room.authority.ca_pem()] {
            let outcome = shake_hands(room.people_port(&people), trusted, None, name, now());
            assert!(is_connected(&outcome), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn a_thief_of_the_server_is_nobody_else_to_a_phone() {
    let cases: [(&[&str], &[&str]); 3] = [
        (&["ota.lan", "192.168.1.5"], &["bank.example", "ota.lan.example", "192.168.1.6", "::1"]),
        (&["ota.lan"], &["bank.example", "192.168.1.5", "fd00::5"]),
        (&["192.168.1.5"], &["bank.example", "192.168.1.6", "fd00::5"]),
    ];
    for (wanted, others) in cases {
        let room = room();
        let people = room.people(wanted);
        let outcome_for = |name: &str| {
            let stolen = room.stolen(name, ExtendedKeyUsagePurpose::ServerAuth);
            let port = room.authority.people_tls(&stolen).unwrap();
            shake_hands(port, &people.root.pem, None, name, now())
        };
        // The attack itself works: it is the names that stop it.
        assert!(is_connected(&outcome_for(wanted[0])), "{wanted:?}");
        for name in others {
            let outcome = outcome_for(name);
            assert!(matches!(outcome, Outcome::RefusedByClient(_)), "{wanted:?} {name}");
        }
    }
}

#[test]
fn the_key_of_the_root_is_nowhere() {
    let room = room();
    let people = room.people(&["ota.lan"]);
    let (_, root) = X509Certificate::from_der(&people.root.der).unwrap();
    let mut keys = 0;
    for entry in fs::read_dir(room.ca("")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let Ok(key) = KeyPair::from_pem(&text) else { continue };
        keys += 1;
        assert_ne!(key.der_bytes(), &*root.public_key().subject_public_key.data);
    }
    assert_eq!(keys, 3, "of both authorities and of the server");
}

#[test]
fn what_is_signed_for_people_is_no_device() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    room.people(&["localhost"]);
    let posing = room.stolen("localhost", ExtendedKeyUsagePurpose::ClientAuth);
    let posing = IssuedDevice {
        cert_pem: posing.cert_pem,
        key_pem: posing.key_pem,
        issuer: String::new(),
        serial: String::new(),
        not_after: now(),
    };
    let port = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
    let outcome = shake_hands(port, &room.authority.ca_pem(), Some(&posing), "localhost", now());
    assert!(matches!(outcome, Outcome::RefusedByServer(_)), "{outcome:?}");
}

#[test]
fn a_phone_trusts_anew_only_when_a_name_is_new() {
    let room = room();
    let first = room.people(&["ota.lan", "192.168.1.5"]);
    assert!(!first.has_replaced_root);

    let same = room.reopened().unwrap().issue_people(&names(&["192.168.1.5", "OTA.lan"]), now());
    let same = same.unwrap();
    assert_eq!(same.root, first.root);
    assert_eq!(same.server.cert_pem, first.server.cert_pem);

    let fewer = room.people(&["ota.lan"]);
    assert_eq!((&fewer.root, fewer.has_replaced_root), (&first.root, false));
    assert_ne!(fewer.server.cert_pem, first.server.cert_pem);

    let more = room.people(&["ota.lan", "192.168.1.5", "ota.home.arpa"]);
    assert_ne!(more.root.fingerprint(), first.root.fingerprint());
    assert!(more.has_replaced_root);
    let outcome =
        shake_hands(room.people_port(&more), &more.root.pem, None, "ota.home.arpa", now());
    assert!(is_connected(&outcome), "{outcome:?}");
    let on_disk = fs::read_to_string(room.authority.people_root_path()).unwrap();
    assert_eq!(on_disk, more.root.pem);
}

#[test]
fn a_wrong_name_costs_no_root() {
    let room = room();
    let first = room.people(&["ota.lan"]);
    assert!(room.authority.issue_people(&names(&["b\u{fc}cher.example"]), now()).is_err());
    assert!(room.authority.issue_people(&[], now()).is_err());
    assert_eq!(room.people(&["ota.lan"]).root, first.root);
}

#[test]
fn certificates_are_renewed_in_time_and_none_lives_too_long_for_a_phone() {
    let room = room();
    let first = room.people(&["ota.lan"]);
    let der = CertificateDer::from_pem_slice(first.server.cert_pem.as_bytes()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let life = parsed.validity().not_after.timestamp() - parsed.validity().not_before.timestamp();
    assert!(life <= 825 * 24 * 60 * 60, "{life} s");

    let again = |at| room.authority.issue_people(&names(&["ota.lan"]), at).unwrap();
    let renewed = again(first.server.not_after - 29 * DAY);
    assert_ne!(renewed.server.cert_pem, first.server.cert_pem);
    assert_eq!(renewed.root, first.root, "the phone trusts it already");

    let late = now() + 10 * 365 * DAY;
    let replaced = again(late);
    assert!(replaced.has_replaced_root);
    let port = room.people_port(&replaced);
    let outcome = shake_hands(port, &replaced.root.pem, None, "ota.lan", late);
    assert!(is_connected(&outcome), "{outcome:?}");
}

#[test]
fn keys_of_the_people_s_side_are_for_the_server_only() {
    let room = room();
    room.people(&["ota.lan"]);
    for file in ["people-issuer.pem", "people.key"] {
        assert_eq!(crate::mode(&room.ca(file)), 0o600, "{file}");
    }
}
