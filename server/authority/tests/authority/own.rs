//! A certificate of somebody else's authority.

use std::fs;
use std::path::PathBuf;

use otaru_authority::{AuthorityError, IssuedCertificate};
use rcgen::{CertificateParams, KeyPair};

use crate::handshake::{Outcome, shake_hands};
use crate::{DAY, now, room};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn of(name: &str) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = (now() - DAY).into();
        params.not_after = (now() + 90 * DAY).into();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("fullchain.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("privkey.pem"), key.serialize_pem()).unwrap();
        Files { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, at: std::time::SystemTime) -> Result<IssuedCertificate, AuthorityError> {
        IssuedCertificate::read(&self.path("fullchain.pem"), &self.path("privkey.pem"), at)
    }
}

#[test]
fn people_meet_the_certificate_they_were_promised() {
    let files = Files::of("ota.example.org");
    let own = files.read(now()).unwrap();
    assert!(own.is_for("ota.example.org"));
    assert!(!own.is_for("ota.lan"));
    assert!(!own.is_for("192.168.1.5"));
    assert_eq!(own.not_after, now() + 90 * DAY);

    let port = room().authority.people_tls(&own).unwrap();
    let outcome = shake_hands(port, &own.cert_pem, None, "ota.example.org", now());
    assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
}

#[test]
fn what_no_client_would_accept_is_named() {
    let (files, other) = (Files::of("ota.example.org"), Files::of("ota.example.org"));
    assert!(matches!(files.read(now() + 91 * DAY), Err(AuthorityError::Expired { .. })));

    fs::copy(other.path("privkey.pem"), files.path("privkey.pem")).unwrap();
    assert!(matches!(files.read(now()), Err(AuthorityError::KeyForeign { .. })));

    fs::write(files.path("privkey.pem"), "no key").unwrap();
    assert!(matches!(files.read(now()), Err(AuthorityError::KeyUnreadable { .. })));

    fs::write(files.path("fullchain.pem"), "").unwrap();
    assert!(matches!(files.read(now()), Err(AuthorityError::CertificateUnreadable { .. })));

    fs::remove_file(files.path("fullchain.pem")).unwrap();
    let missing = files.read(now()).err().unwrap().to_string();
    assert!(missing.ends_with("fullchain.pem does not exist"), "{missing}");
}
