//! What the authority promises, checked through files, X.509 and real TLS handshakes.

mod handshake;
mod outside;
mod own;
mod people;
mod requests;
mod rotation;
mod sealed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handshake::{Outcome, shake_hands};
use otaru_authority::{Authority, AuthorityError};
use otaru_doors::{PeerCertificate, PeerCertificateError};
use otaru_wire::{OrganisationId, ThingName};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_430_400)
}

fn thing(name: &str) -> ThingName {
    ThingName::new(name).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn local() -> Vec<String> {
    names(&["localhost", "127.0.0.1", "::1"])
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

struct Room {
    dir: tempfile::TempDir,
    authority: Authority,
}

fn room() -> Room {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(&dir.path().join("ca"), now()).unwrap();
    Room { dir, authority }
}

impl Room {
    fn ca(&self, file: &str) -> std::path::PathBuf {
        self.dir.path().join("ca").join(file)
    }

    fn reopened(&self) -> Result<Authority, AuthorityError> {
        Authority::open_or_create(&self.dir.path().join("ca"), now())
    }
}

#[test]
fn keys_are_for_the_server_only_and_certificates_for_all() {
    let room = room();
    room.authority.issue_server(&local(), now()).unwrap();

    assert_eq!(mode(&room.ca("ca.key")), 0o600);
    assert_eq!(mode(&room.authority.server_key_path()), 0o600);
    assert_eq!(mode(&room.authority.ca_path()), 0o644);
    assert_eq!(mode(&room.ca("")), 0o700);
}

#[test]
fn keys_that_others_could_read_are_closed_to_them_and_named() {
    let room = room();
    room.authority.issue_server(&local(), now()).unwrap();
    assert_eq!(room.reopened().unwrap().mended(), [] as [std::path::PathBuf; 0]);
    let set = |file: &str, mode| {
        fs::set_permissions(room.ca(file), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("ca.key", 0o640);
    set("server.key", 0o602);
    set("", 0o755);

    let again = room.reopened().unwrap();

    assert_eq!(again.mended(), [room.ca(""), room.ca("ca.key"), room.ca("server.key")]);
    assert_eq!(mode(&room.ca("ca.key")), 0o600);
    assert_eq!(mode(&room.ca("server.key")), 0o600);
    assert_eq!(mode(&room.ca("")), 0o700);
    assert_eq!(mode(&room.authority.ca_path()), 0o644);
    assert_eq!(room.reopened().unwrap().mended(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn reopened_authority_is_the_same_one() {
    let room = room();
    let device = room.authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now());

    let again = room.reopened().unwrap();

    assert_eq!(again.ca_pem(), room.authority.ca_pem());
    let server = again.issue_server(&local(), now()).unwrap();
    let tls = again.device_tls(&server, &again.device_trust()).unwrap();
    let outcome = shake_hands(tls, &again.ca_pem(), Some(&device.unwrap()), "localhost", now());
    assert!(matches!(outcome, Outcome::Connected(Some(_))), "{outcome:?}");
}

#[test]
fn crash_between_key_and_certificate_is_mended() {
    let room = room();
    fs::remove_file(room.ca("ca.pem")).unwrap();

    let mended = room.reopened().unwrap();

    assert_eq!(room.reopened().unwrap().ca_pem(), mended.ca_pem());
    let server = mended.issue_server(&local(), now()).unwrap();
    let tls = mended.people_tls(&server).unwrap();
    let outcome = shake_hands(tls, &mended.ca_pem(), None, "localhost", now());
    assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
}

#[test]
fn certificate_without_key_is_never_replaced() {
    let room = room();
    fs::remove_file(room.ca("ca.key")).unwrap();

    let error = room.reopened().unwrap_err();

    assert!(matches!(error, AuthorityError::KeyMissing { .. }), "{error}");
    assert_eq!(fs::read_to_string(room.ca("ca.pem")).unwrap(), room.authority.ca_pem());
}

#[test]
fn key_of_another_authority_is_refused() {
    let (room, other) = (room(), self::room());
    fs::copy(other.ca("ca.key"), room.ca("ca.key")).unwrap();

    let error = room.reopened().unwrap_err();

    assert!(matches!(error, AuthorityError::KeyForeign { .. }), "{error}");
}

#[test]
fn damaged_files_are_named() {
    let room = room();
    let pem = fs::read_to_string(room.ca("ca.pem")).unwrap();
    fs::write(room.ca("ca.pem"), "not a certificate").unwrap();
    assert!(matches!(room.reopened(), Err(AuthorityError::CertificateUnreadable { .. })));

    fs::write(room.ca("ca.pem"), pem).unwrap();
    fs::write(room.ca("ca.key"), "not a key").unwrap();
    assert!(matches!(room.reopened(), Err(AuthorityError::KeyUnreadable { .. })));
}

#[test]
fn server_certificate_is_kept_until_names_or_time_ask_for_another() {
    let room = room();
    let first = room.authority.issue_server(&local(), now()).unwrap();
    let same_names = names(&["::1", "127.0.0.1", "localhost"]);
    let kept = room.authority.issue_server(&same_names, now() + DAY).unwrap();
    assert_eq!(kept.cert_pem, first.cert_pem);
    assert_eq!(kept.key_pem, first.key_pem);
    assert_eq!(kept.not_after, first.not_after);

    let almost_over = first.not_after - 31 * DAY;
    let kept = room.authority.issue_server(&local(), almost_over).unwrap();
    assert_eq!(kept.cert_pem, first.cert_pem);

    let renewed = room.authority.issue_server(&local(), almost_over + 2 * DAY).unwrap();
    assert_ne!(renewed.cert_pem, first.cert_pem);
    assert!(renewed.not_after > first.not_after);

    let renamed = room.authority.issue_server(&names(&["ota.example.org"]), now()).unwrap();
    assert_ne!(renamed.cert_pem, renewed.cert_pem);
    let on_disk = fs::read_to_string(room.authority.server_certificate_path()).unwrap();
    assert_eq!(on_disk, renamed.cert_pem);
}

#[test]
fn server_certificate_whose_key_was_swapped_is_made_anew() {
    let (room, other) = (room(), self::room());
    let first = room.authority.issue_server(&local(), now()).unwrap();
    other.authority.issue_server(&local(), now()).unwrap();
    fs::copy(other.ca("server.key"), room.ca("server.key")).unwrap();

    let second = room.authority.issue_server(&local(), now()).unwrap();

    assert_ne!(second.cert_pem, first.cert_pem);
    room.authority.people_tls(&second).unwrap();
}

#[test]
fn names_that_no_certificate_can_hold_are_refused() {
    let room = room();
    let refused = room.authority.issue_server(&names(&["localhost", "bücher.example"]), now());
    assert!(
        matches!(refused, Err(AuthorityError::ServerName { name }) if name == "bücher.example")
    );
    let refused = room.authority.issue_server(&[], now());
    assert!(matches!(refused, Err(AuthorityError::NoServerName)));

    let long = thing(&"x".repeat(65));
    let refused = room.authority.issue_device(&long, &OrganisationId::default(), now());
    assert!(matches!(refused, Err(AuthorityError::ThingNameTooLong { .. })));
}

#[test]
fn device_certificate_names_thing_organisation_and_serial() {
    let room = room();
    let organisation = OrganisationId::new("acme").unwrap();
    let device = room.authority.issue_device(&thing("clock:01_a"), &organisation, now()).unwrap();

    let peer = PeerCertificate::read(&der(&device.cert_pem), &device.issuer).unwrap();

    assert_eq!(peer.common_name, "clock:01_a");
    assert_eq!(peer.organisation.as_deref(), Some("acme"));
    assert_eq!(peer.serial, device.serial);
    assert_eq!(device.serial.len(), 32);
    assert!(device.not_after > now() + 20 * 365 * DAY);
    assert_eq!(
        PeerCertificate::read(b"not a certificate", ""),
        Err(PeerCertificateError::Malformed)
    );
}

#[test]
fn device_is_recognised_over_tls() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let device =
        room.authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now()).unwrap();

    for name in ["localhost", "127.0.0.1", "::1"] {
        let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
        match shake_hands(tls, &room.authority.ca_pem(), Some(&device), name, now()) {
            Outcome::Connected(Some(peer)) => {
                assert_eq!(PeerCertificate::read(&peer, "").unwrap().common_name, "clock-01");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn device_port_lets_clients_without_certificate_through() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
    let outcome = shake_hands(tls, &room.authority.ca_pem(), None, "localhost", now());
    assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
}

#[test]
fn device_of_another_authority_is_refused() {
    let (room, other) = (room(), self::room());
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let stranger = other
        .authority
        .issue_device(&thing("clock-01"), &OrganisationId::default(), now())
        .unwrap();

    let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
    let outcome = shake_hands(tls, &room.authority.ca_pem(), Some(&stranger), "localhost", now());

    assert!(matches!(outcome, Outcome::RefusedByServer(_)), "{outcome:?}");
}

#[test]
fn server_certificate_is_no_client_certificate() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let mut posing =
        room.authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now()).unwrap();
    posing.cert_pem = server.cert_pem.clone();
    posing.key_pem = server.key_pem.clone();

    let tls = room.authority.device_tls(&server, &room.authority.device_trust()).unwrap();
    let outcome = shake_hands(tls, &room.authority.ca_pem(), Some(&posing), "localhost", now());

    assert!(matches!(outcome, Outcome::RefusedByServer(_)), "{outcome:?}");
}

#[test]
fn server_of_another_authority_is_refused_by_the_client() {
    let (room, other) = (room(), self::room());
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let tls = room.authority.people_tls(&server).unwrap();
    let outcome = shake_hands(tls, &other.authority.ca_pem(), None, "localhost", now());
    assert!(matches!(outcome, Outcome::RefusedByClient(_)), "{outcome:?}");
}

#[test]
fn server_is_refused_under_another_name() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let tls = room.authority.people_tls(&server).unwrap();
    let outcome = shake_hands(tls, &room.authority.ca_pem(), None, "ota.example.org", now());
    assert!(matches!(outcome, Outcome::RefusedByClient(_)), "{outcome:?}");
}

#[test]
fn clients_with_a_slow_clock_accept_the_server() {
    let room = room();
    let server = room.authority.issue_server(&local(), now()).unwrap();
    let slow = now() - DAY / 2;
    let tls = room.authority.people_tls(&server).unwrap();
    let outcome = shake_hands(tls, &room.authority.ca_pem(), None, "localhost", slow);
    assert!(matches!(outcome, Outcome::Connected(None)), "{outcome:?}");
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn an_authority_that_has_ended_opens_signs_nothing_and_is_rotated() {
    let room = room();
    let issue = |authority: &Authority, now| {
        authority.issue_device(&thing("clock-01"), &OrganisationId::default(), now)
    };
    let is_believed = |authority: &Authority, cert_pem: &str, now: SystemTime| {
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap());
        authority.device_trust().judge(&[der(cert_pem)], now).is_ok()
    };
    let device = issue(&room.authority, now()).unwrap();
    let late = room.authority.not_after();
    assert!(is_believed(&room.authority, &device.cert_pem, now()));
    let opened = Authority::open_or_create(&room.ca(""), late).unwrap();

    assert_eq!(opened.ca_pem(), room.authority.ca_pem());
    assert!(!is_believed(&opened, &device.cert_pem, late + DAY));
    assert!(matches!(issue(&opened, late), Err(AuthorityError::Ended)));
    // The ports stand: somebody has to get in.
    let server = opened.issue_server(&local(), late).unwrap();
    assert_eq!(opened.issue_server(&local(), late).unwrap().cert_pem, server.cert_pem);
    assert!(opened.device_tls(&server, &opened.device_trust()).is_ok());
    let people = opened.issue_people(&local(), late).unwrap();
    assert!(people.server.not_after > late + 365 * DAY);

    opened.rotate(late).unwrap();

    let again = issue(&opened, late).unwrap();
    assert!(again.not_after > late + 20 * 365 * DAY);
    assert!(is_believed(&opened, &again.cert_pem, late + DAY));
}
