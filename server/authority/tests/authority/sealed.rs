//! The authority's key under a passphrase.

use std::fs;
use std::process::Command;

use otaru_authority::{Authority, AuthorityError, Passphrase};

use crate::{mode, now, room};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

#[test]
fn a_key_under_a_passphrase_opens_with_it_alone() {
    let room = room();
    let dir = room.ca("");
    let before = fs::read_to_string(room.ca("ca.key")).unwrap();
    let (right, wrong) = (passphrase("correct horse"), passphrase("another horse"));

    Authority::seal_key(&dir, &right).unwrap();

    let sealed = fs::read_to_string(room.ca("ca.key")).unwrap();
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{sealed}");
    assert_eq!(mode(&room.ca("ca.key")), 0o600);
    assert!(!room.ca("ca.new").exists());
    let again = Authority::open_or_create_sealed(&dir, Some(&right), now()).unwrap();
    assert_eq!(again.ca_pem(), room.authority.ca_pem());
    let error = Authority::open_or_create_sealed(&dir, Some(&wrong), now()).unwrap_err();
    assert!(matches!(error, AuthorityError::PassphraseWrong { .. }), "{error}");
    let error = Authority::open_or_create(&dir, now()).unwrap_err();
    assert!(matches!(error, AuthorityError::PassphraseMissing { .. }), "{error}");
    let error = Authority::seal_key(&dir, &right).unwrap_err();
    assert!(matches!(error, AuthorityError::KeySealed { .. }), "{error}");
    let error = Authority::unseal_key(&dir, &wrong).unwrap_err();
    assert!(matches!(error, AuthorityError::PassphraseWrong { .. }), "{error}");

    Authority::unseal_key(&dir, &right).unwrap();

    assert_eq!(fs::read_to_string(room.ca("ca.key")).unwrap(), before);
    let error = Authority::open_or_create_sealed(&dir, Some(&right), now()).unwrap_err();
    assert!(matches!(error, AuthorityError::KeyOpen { .. }), "{error}");
}

#[test]
fn openssl_reads_what_is_sealed_and_what_it_sealed_is_read() {
    let room = room();
    let right = passphrase("correct horse");
    let sealed = room.ca("theirs");
    let run = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).output().expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let (key, theirs) = (room.ca("ca.key"), sealed.to_str().unwrap());
    let key = key.to_str().unwrap();
    let pass = "pass:correct horse";
    run(&["pkcs8", "-topk8", "-in", key, "-passout", pass, "-out", theirs]);
    fs::rename(&sealed, room.ca("ca.key")).unwrap();
    Authority::open_or_create_sealed(&room.ca(""), Some(&right), now()).unwrap();
    Authority::unseal_key(&room.ca(""), &right).unwrap();

    Authority::seal_key(&room.ca(""), &right).unwrap();
    let opened = run(&["pkcs8", "-in", key, "-passin", pass]);
    fs::write(key, opened).unwrap();
    assert_eq!(room.reopened().unwrap().ca_pem(), room.authority.ca_pem());
}

#[test]
fn a_fresh_key_is_never_without_its_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let (dir, right) = (home.path().join("ca"), passphrase("correct horse"));
    Authority::open_or_create_sealed(&dir, Some(&right), now()).unwrap();
    let key = fs::read_to_string(dir.join("ca.key")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    Authority::open_or_create_sealed(&dir, Some(&right), now()).unwrap();
}

#[test]
fn what_a_crash_left_beside_the_key_is_removed() {
    let room = room();
    fs::copy(room.ca("ca.key"), room.ca("ca.new")).unwrap();
    room.reopened().unwrap();
    assert!(!room.ca("ca.new").exists());
}

#[test]
fn a_short_passphrase_is_refused() {
    let refused = Passphrase::new("hunter2".to_owned());
    let short = matches!(refused, Err(AuthorityError::PassphraseShort { found: 7, least: 12 }));
    assert!(short, "{refused:?}");
}
