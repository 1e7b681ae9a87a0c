//! What a folder holds at every step on the way to a device's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use otaru_keys::{Answer, Enrolment, EnrolmentFile, KeysError};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, X509CertificationRequest};

const ROOT: &str = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const OTHER_ROOT: &str = "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

fn token_file() -> EnrolmentFile {
    EnrolmentFile {
        token: "secret".to_owned(),
        device_url: "https://devices.example:8444".to_owned(),
        ca_pem: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned(),
        root_pub: format!("# at the desk\n{ROOT}\n"),
    }
}

fn answer() -> Answer {
    Answer {
        cert_pem: "a certificate".to_owned(),
        ca_pem: "an authority".to_owned(),
        root_pub: ROOT.to_owned(),
        device_toml: "a server".to_owned(),
    }
}

/// The public key of a request that its own key has signed.
fn public_key(request: &str) -> Vec<u8> {
    let (_, pem) = parse_x509_pem(request.as_bytes()).unwrap();
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).unwrap();
    request.verify_signature().unwrap();
    let info = &request.certification_request_info;
    assert_eq!(info.subject.iter().count(), 0, "it asks for no name");
    info.subject_pki.subject_public_key.data.to_vec()
}

#[test]
fn key_is_its_owners_alone_and_stays_the_same() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("device");
    let first = public_key(&Enrolment::begin(&dir).unwrap().request().unwrap());

    let mode = fs::metadata(dir.join("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Power was lost before the answer came.
    let again = public_key(&Enrolment::begin(&dir).unwrap().request().unwrap());
    assert_eq!(again, first);
    assert!(!Enrolment::is_done(&dir));
}

#[test]
fn folder_is_done_when_all_of_it_is_there() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("cert.new"), "half of").unwrap();
    Enrolment::begin(dir).unwrap().finish(&token_file(), &answer()).unwrap();

    assert!(Enrolment::is_done(dir));
    for (name, text) in [
        ("ca.pem", "an authority"),
        ("root.pub", ROOT),
        ("device.toml", "a server"),
        ("cert.pem", "a certificate"),
    ] {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), text);
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 5, "nothing else is left");
}

#[test]
fn another_root_key_than_at_the_desk_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for root_pub in [OTHER_ROOT, "a root", ""] {
        let answer = Answer { root_pub: root_pub.to_owned(), ..answer() };
        let refused = Enrolment::begin(home.path()).unwrap().finish(&token_file(), &answer);
        assert!(matches!(refused, Err(KeysError::Root)), "{root_pub:?}");
        assert!(!Enrolment::is_done(home.path()) && !home.path().join("root.pub").exists());
    }
}

#[test]
fn a_key_that_is_none_is_named_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("key.pem"), "no key").unwrap();
    let error = Enrolment::begin(home.path()).unwrap_err().to_string();
    assert!(error.ends_with("key.pem holds no private key"), "{error}");
    assert_eq!(fs::read_to_string(home.path().join("key.pem")).unwrap(), "no key");
}

#[test]
fn token_file_reads_as_it_was_written() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("token.toml");
    let file = token_file();
    fs::write(&path, file.to_text()).unwrap();
    let read = EnrolmentFile::read(&path).unwrap();
    assert_eq!((read.token, read.ca_pem), (file.token, file.ca_pem));
    assert_eq!(read.root_pub, file.root_pub);
    fs::write(&path, "secret").unwrap();
    assert!(EnrolmentFile::read(&path).is_err());
}
