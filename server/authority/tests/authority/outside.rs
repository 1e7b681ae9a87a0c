//! The authority's key is somewhere else, and a command signs with it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use otaru_authority::{Authority, AuthorityError, KeyCommand, KeyCommandError};
use otaru_wire::OrganisationId;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::handshake::{Outcome, shake_hands};
use crate::{local, names, now, room, thing};

/// A busy machine signs within this.
const PATIENCE: Duration = Duration::from_secs(30);

fn command(words: &[&str]) -> KeyCommand {
    KeyCommand::new(words.iter().map(|word| (*word).to_owned()).collect(), PATIENCE).unwrap()
}

fn openssl(arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).output().expect("openssl is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A folder with `ca.pem` and, elsewhere, its key.
struct SafeBox {
    dir: tempfile::TempDir,
}

impl SafeBox {
    /// With a key of this kind, as an operator makes it.
    fn with(algorithm: &[&str]) -> SafeBox {
        let made = SafeBox { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(made.path("ca")).unwrap();
        openssl(&[&["genpkey"][..], algorithm, &["-out", &made.path("key.pem")]].concat());
        let (params, key) = (authority("a box", 2), made.key());
        fs::write(made.path("ca/ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        made
    }

    fn key(&self) -> KeyPair {
        KeyPair::from_pem(&fs::read_to_string(self.path("key.pem")).unwrap()).unwrap()
    }

    fn p256() -> SafeBox {
        SafeBox::with(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn open(&self, command: KeyCommand) -> Result<Authority, AuthorityError> {
        Authority::open_outside(&self.dir.path().join("ca"), command, now())
    }
}

/// An authority with so many authorities below it, at most.
fn authority(name: &str, below: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("Otaru authority of {name}"));
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2050, 1, 1));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What a device meets whose certificate the authority signed, on a port that it signed for.
fn met(authority: &Authority) -> Result<Outcome, AuthorityError> {
    let device = authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now())?;
    let server = authority.issue_server(&local(), now())?;
    let tls = authority.device_tls(&server, &authority.device_trust())?;
    Ok(shake_hands(tls, &authority.ca_pem(), Some(&device), "localhost", now()))
}

fn refused(made: &SafeBox, words: &[&str]) -> KeyCommandError {
    let authority = made.open(command(words)).unwrap();
    match met(&authority) {
        Err(AuthorityError::Command(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_signs_for_devices_servers_and_people_with_keys_of_every_kind() {
    let cases: [(&[&str], &str); 4] = [
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "-sha256"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "-sha384"),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "-sha256"),
        (&["-algorithm", "ED25519"], ""),
    ];
    for (algorithm, digest) in cases {
        let made = SafeBox::with(algorithm);
        let (key, script) = (made.path("key.pem"), made.path("sign"));
        // OpenSSL signs with Ed25519 what is in a file.
        let pkeyutl = format!(
            "cat > {script}.$$ && openssl pkeyutl -sign -rawin -inkey {key} -in {script}.$$"
        );
        fs::write(&script, pkeyutl).unwrap();
        let signs = match digest {
            "" => command(&["sh", &script]),
            digest => command(&["openssl", "dgst", digest, "-sign", &key]),
        };
        let authority = made.open(signs).unwrap();
        assert!(authority.is_outside());
        let outcome = met(&authority).unwrap();
        assert!(matches!(outcome, Outcome::Connected(Some(_))), "{algorithm:?}: {outcome:?}");
        let people = authority.issue_people(&names(&["ota.lan"]), now()).unwrap();
        for trusted in [&people.root.pem, &authority.ca_pem()] {
            let port = authority.people_tls(&people.server).unwrap();
            let outcome = shake_hands(port, trusted, None, "ota.lan", now());
            assert!(matches!(outcome, Outcome::Connected(None)), "{algorithm:?}: {outcome:?}");
        }
    }
}

#[test]
fn a_command_that_does_not_sign_is_said_and_nothing_is_made() {
    let (made, other) = (SafeBox::p256(), SafeBox::p256());
    let theirs = other.path("key.pem");
    assert!(matches!(refused(&made, &["false"]), KeyCommandError::Failed { .. }));
    assert!(matches!(refused(&made, &["/no/such/program"]), KeyCommandError::Start { .. }));
    let another_key = refused(&made, &["openssl", "dgst", "-sha256", "-sign", &theirs]);
    assert!(matches!(another_key, KeyCommandError::Wrong { .. }), "{another_key}");
    let key = made.path("key.pem");
    let another_digest = refused(&made, &["openssl", "dgst", "-sha384", "-sign", &key]);
    assert!(matches!(another_digest, KeyCommandError::Wrong { .. }), "{another_digest}");
    for (words, found) in [(&["echo", "yes"][..], 4), (&["true"], 0)] {
        match refused(&made, words) {
            KeyCommandError::Wrong { found: length, .. } => assert_eq!(length, found),
            other => panic!("{other}"),
        }
    }
    // It is not read to its end.
    let endless = refused(&made, &["cat", "/dev/zero"]);
    assert!(matches!(endless, KeyCommandError::Failed { .. }), "{endless}");
    assert!(!made.dir.path().join("ca/server.pem").exists());
}

#[test]
fn a_command_that_hangs_is_ended_with_all_that_it_started() {
    let made = SafeBox::p256();
    for words in [&["sleep", "600"][..], &["sh", "-c", "sleep 600 & wait"]] {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let hangs = KeyCommand::new(words, Duration::from_millis(200)).unwrap();
        let authority = made.open(hangs).unwrap();
        let late = authority.issue_server(&local(), now());
        let late = late.err().expect("it is late");
        assert!(matches!(late, AuthorityError::Command(KeyCommandError::Late { .. })), "{late}");
    }
}

#[test]
fn who_asks_while_others_sign_waits_for_a_turn() {
    let made = SafeBox::p256();
    let authority =
        made.open(command(&["openssl", "dgst", "-sha256", "-sign", &made.path("key.pem")]));
    let authority = authority.unwrap();
    let serials: Vec<String> = std::thread::scope(|scope| {
        let sign = || authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now());
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(sign)).collect();
        asked.into_iter().map(|one| one.join().unwrap().unwrap().serial).collect()
    });
    assert_eq!(serials.len(), 12);
}

#[test]
fn the_key_is_in_one_place_and_the_certificate_is_an_authority_s() {
    let room = room();
    let elsewhere = room.ca("").join("../elsewhere.key");
    let signs = command(&["openssl", "dgst", "-sha256", "-sign", elsewhere.to_str().unwrap()]);
    let open = || Authority::open_outside(&room.ca(""), signs.clone(), now());
    assert!(matches!(open(), Err(AuthorityError::KeyInside { .. })));
    fs::rename(room.ca("ca.key"), &elsewhere).unwrap();

    // An authority whose key was taken away goes on as it was.
    let authority = open().unwrap();
    assert_eq!(authority.ca_pem(), room.authority.ca_pem());
    assert!(matches!(met(&authority).unwrap(), Outcome::Connected(Some(_))));
    assert!(matches!(authority.rotate(now()), Err(AuthorityError::KeyOutside)));

    let leaf = fs::read_to_string(room.ca("server.pem")).unwrap();
    fs::write(room.ca("ca.pem"), leaf).unwrap();
    assert!(matches!(open(), Err(AuthorityError::NoAuthority { .. })));
    fs::remove_file(room.ca("ca.pem")).unwrap();
    assert!(matches!(open(), Err(AuthorityError::FileMissing { .. })));
    assert!(KeyCommand::new(Vec::new(), PATIENCE).is_none());
}

#[test]
fn a_fresh_authority_begins_with_a_public_key_alone() {
    let made = SafeBox::p256();
    fs::remove_file(made.path("ca/ca.pem")).unwrap();
    let key = made.path("key.pem");
    let open = || made.open(command(&["openssl", "dgst", "-sha256", "-sign", &key]));
    let nothing = open().unwrap_err();
    assert!(nothing.to_string().contains("ca.pub does not exist"), "{nothing}");
    fs::write(made.path("ca/ca.pub"), "no key").unwrap();
    assert!(matches!(open(), Err(AuthorityError::NoAuthority { .. })));
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &made.path("ca/ca.pub")]);
    assert!(matches!(made.open(command(&["false"])), Err(AuthorityError::Command(_))));

    let authority = open().unwrap();

    assert!(matches!(met(&authority).unwrap(), Outcome::Connected(Some(_))));
    assert_eq!(open().unwrap().ca_pem(), authority.ca_pem());
    assert!(!made.dir.path().join("ca/ca.key").exists());
}

/// What docs/authorities.md has an operator make.
#[test]
fn an_outside_key_is_rotated_by_hand() {
    let (made, another) = (SafeBox::p256(), SafeBox::p256());
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let (path, old_ca, next_key) =
        (made.path("ca/ca.pem"), read(&made.path("ca/ca.pem")), another.key());
    let next_ca = authority("another box", 2).self_signed(&next_key).unwrap().pem();
    let old = Issuer::new(authority("a box", 2), made.key());
    let cross = authority("another box", 0).signed_by(&next_key, &old).unwrap().pem();
    fs::write(made.path("ca/old.pem"), old_ca.clone() + &cross).unwrap();
    fs::write(&path, &next_ca).unwrap();

    let signs = command(&["openssl", "dgst", "-sha256", "-sign", &another.path("key.pem")]);
    let authority = made.open(signs).unwrap();

    assert_eq!(authority.certificates().len(), 2);
    let server = authority.issue_server(&local(), now()).unwrap();
    for trusted in [&old_ca, &next_ca, &authority.ca_pem()] {
        let tls = authority.device_tls(&server, &authority.device_trust()).unwrap();
        let outcome = shake_hands(tls, trusted, None, "localhost", now());
        assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
    }
    authority.forget_predecessor(now()).unwrap();
    assert_eq!(authority.ca_pem(), next_ca);
}
