//! A new authority signs while the old one is believed: who finds the server, and who is let in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use otaru_authority::{Authority, IssuedDevice, Passphrase};
use otaru_wire::OrganisationId;

use crate::handshake::{Outcome, shake_hands};
use crate::{DAY, Room, local, names, now, room, thing};

fn device(authority: &Authority) -> IssuedDevice {
    authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now()).unwrap()
}

/// A rotated authority: what was trusted before, what is new, and what devices get now.
struct Rotated {
    room: Room,
    old: String,
    new: String,
    both: String,
}

fn rotated() -> Rotated {
    let room = room();
    let old = room.authority.ca_pem();
    room.authority.issue_server(&local(), now()).unwrap();
    room.authority.rotate(now()).unwrap();
    let both = room.authority.ca_pem();
    let new = both.strip_suffix(&*old).expect("the one before stands behind").to_owned();
    assert_ne!(new, old);
    Rotated { room, old, new, both }
}

impl Rotated {
    /// How a device with this certificate, or none, fares that trusts this.
    fn met(&self, trusted: &str, device: Option<&IssuedDevice>) -> Outcome {
        let authority = &self.room.authority;
        let server = authority.issue_server(&local(), now()).unwrap();
        let tls = authority.device_tls(&server, &authority.device_trust()).unwrap();
        shake_hands(tls, trusted, device, "localhost", now())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.room.ca("").join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn is_in(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Connected(Some(_)))
}

#[test]
fn who_trusts_the_old_one_or_the_new_one_or_both_finds_the_server() {
    let rotated = rotated();
    for trusted in [&rotated.old, &rotated.new, &rotated.both] {
        let outcome = rotated.met(trusted, None);
        assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
    }
    let stranger = room().authority.ca_pem();
    assert!(matches!(rotated.met(&stranger, None), Outcome::RefusedByClient(_)));

    rotated.room.authority.forget_predecessor(now()).unwrap();

    assert_eq!(rotated.room.authority.ca_pem(), rotated.new);
    for trusted in [&rotated.new, &rotated.both] {
        assert!(matches!(rotated.met(trusted, None), Outcome::Connected(None)));
    }
    assert!(matches!(rotated.met(&rotated.old, None), Outcome::RefusedByClient(_)));
}

#[test]
fn certificates_of_both_let_a_device_in_until_the_old_one_is_retired() {
    let room = room();
    let before = device(&room.authority);
    let old = room.authority.ca_pem();
    room.authority.rotate(now()).unwrap();
    let after = device(&room.authority);
    assert_ne!(after.issuer, before.issuer);
    let both = room.authority.ca_pem();
    let rotated = Rotated { room, old, new: String::new(), both };
    assert!(is_in(&rotated.met(&rotated.old, Some(&before))));
    assert!(is_in(&rotated.met(&rotated.both, Some(&after))));

    rotated.room.authority.forget_predecessor(now()).unwrap();

    assert!(is_in(&rotated.met(&rotated.both, Some(&after))));
    let outcome = rotated.met(&rotated.both, Some(&before));
    assert!(matches!(outcome, Outcome::RefusedByServer(_)), "{outcome:?}");
}

/// A client of another make, as strict as they come.
#[test]
fn openssl_finds_the_server_by_the_old_one_and_by_the_new_one() {
    let rotated = rotated();
    let server = rotated.room.authority.issue_server(&local(), now()).unwrap();
    let chain = rotated.file("chain.pem", &server.cert_pem);
    let verify = |trusted: &PathBuf| {
        let at = now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
        let done = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath"])
            .args(["-verify_hostname", "localhost", "-attime", &at, "-CAfile"])
            .arg(trusted)
            .arg("-untrusted")
            .args([&chain, &chain])
            .output()
            .expect("openssl is installed");
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    for trusted in [&rotated.old, &rotated.new, &rotated.both] {
        let (is_good, said) = verify(&rotated.file("trusted.pem", trusted));
        assert!(is_good, "{said}");
    }
    let other = room().authority.ca_pem();
    assert!(!verify(&rotated.file("trusted.pem", &other)).0);
}

#[test]
fn the_old_key_is_nowhere_and_a_passphrase_stays_over_the_new_one() {
    let room = room();
    let dir = room.ca("");
    let passphrase = Passphrase::new("correct horse".to_owned()).unwrap();
    Authority::seal_key(&dir, &passphrase).unwrap();
    let authority = Authority::open_or_create_sealed(&dir, Some(&passphrase), now()).unwrap();
    let before = fs::read_to_string(room.ca("ca.key")).unwrap();

    authority.rotate(now()).unwrap();

    let after = fs::read_to_string(room.ca("ca.key")).unwrap();
    assert!(after.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{after}");
    assert_eq!(crate::mode(&room.ca("ca.key")), 0o600);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_ne!(fs::read_to_string(&path).unwrap(), before, "{}", path.display());
    }
    let again = Authority::open_or_create_sealed(&dir, Some(&passphrase), now()).unwrap();
    assert_eq!(again.ca_pem(), authority.ca_pem());
}

#[test]
fn phones_keep_their_root_and_tools_find_the_people_s_port_by_either() {
    let room = room();
    let old = room.authority.ca_pem();
    let wanted = names(&["ota.lan", "192.168.1.5"]);
    let before = room.authority.issue_people(&wanted, now()).unwrap();
    room.authority.rotate(now()).unwrap();
    let both = room.authority.ca_pem();
    let new = both.strip_suffix(&*old).unwrap();
    let met = |trusted: &str| {
        let people = room.authority.issue_people(&wanted, now()).unwrap();
        assert_eq!((&people.root, people.has_replaced_root), (&before.root, false));
        let port = room.authority.people_tls(&people.server).unwrap();
        matches!(shake_hands(port, trusted, None, "ota.lan", now()), Outcome::Connected(None))
    };
    for trusted in [&before.root.pem, &old, new, &both] {
        assert!(met(trusted));
    }

    room.authority.forget_predecessor(now()).unwrap();

    for trusted in [&before.root.pem, new, &both] {
        assert!(met(trusted));
    }
    assert!(!met(&old));
    // Nor is the root lost where nobody looked between a rotation and its end.
    room.authority.rotate(now()).unwrap();
    room.authority.forget_predecessor(now()).unwrap();
    assert!(met(&room.authority.ca_pem()));
}

#[test]
fn nothing_of_the_old_one_outlives_it() {
    let rotated = rotated();
    let late = now() + 29 * 365 * DAY;
    rotated.room.authority.forget_predecessor(now()).unwrap();
    rotated.room.authority.rotate(late).unwrap();
    let server = rotated.room.authority.issue_server(&local(), late).unwrap();
    let tls = rotated.room.authority.people_tls(&server).unwrap();
    let past_the_end = now() + 31 * 365 * DAY;
    let outcome = shake_hands(tls.clone(), &rotated.new, None, "localhost", past_the_end);
    assert!(matches!(outcome, Outcome::RefusedByClient(_)), "{outcome:?}");
    let outcome =
        shake_hands(tls, &rotated.room.authority.ca_pem(), None, "localhost", past_the_end);
    assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (rotated, other) = (rotated(), self::rotated());
    fs::copy(other.room.ca("old.pem"), rotated.room.ca("old.pem")).unwrap();
    let error = rotated.room.reopened().unwrap_err();
    assert!(error.to_string().contains("old.pem is not of the authority before"), "{error}");
    assert!(rotated.room.authority.reload(now()).is_err());
    assert_eq!(rotated.room.authority.ca_pem(), rotated.both, "what was in use stays");
    fs::write(rotated.room.ca("old.pem"), "no certificates").unwrap();
    assert!(rotated.room.reopened().is_err());
}
