//! Whom the port of the devices believes, while it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use otaru_authority::{Authority, IssuedDevice};
use otaru_doors::KnockLimits;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, NotIn, Options, PATIENCE};
use crate::room::{Room, now, shadow};

/// An authority of somebody else, as the port is told of it.
fn der(authority: &Authority) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(authority.ca_pem().as_bytes()).unwrap()
}

async fn tls(room: &Room, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(room.mqtts()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config.clone()).connect(name, socket).await
}

#[tokio::test]
async fn an_authority_is_believed_and_no_more_while_others_stay() {
    let (room, other) = (Room::new().await, Room::new().await);
    let mut ours = room.device("clock-01").await;
    let delta = shadow("clock-01", "update/delta");
    ours.subscribe(&delta, 1).await;
    let theirs = other.certificate("clock-02");
    let refused = room.try_device(Some(&theirs), Options::clean("clock-02")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));

    room.trust.set_registered(&[der(&other.authority)]);
    let device = room.device_with(&theirs, Options::clean("clock-02")).await;

    room.trust.set_registered(&[]);
    room.trust.end_unbelieved();
    device.closed().await;
    let refused = room.try_device(Some(&theirs), Options::clean("clock-02")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));
    room.publish(&delta, "still here").await;
    assert_eq!(ours.next().await.text(), "still here");
}

#[tokio::test]
async fn an_idle_session_ends_with_its_certificate_and_another_of_the_thing_is_not_touched() {
    let mut room = Room::new().await;
    let (revoked, good) = (room.certificate("clock-01"), room.certificate("clock-01"));
    let mut device = room.device_with(&revoked, Options::persistent("clock-01")).await;
    let session = room.heard.connected().await;
    let certificate = session.certificate.clone().unwrap();
    assert_eq!(
        (certificate.issuer, certificate.serial),
        (revoked.issuer.clone(), revoked.serial.clone())
    );

    room.trust.end(&revoked.issuer, "another");
    room.trust.end("another", &revoked.serial);
    room.trust.end(&revoked.issuer, &good.serial);
    device.ping().await.unwrap();
    room.trust.end(&revoked.issuer, &revoked.serial);

    device.closed().await;
    room.heard.disconnected().await;
    room.service.revoke(&revoked.serial);
    let refused = room.try_device(Some(&revoked), Options::persistent("clock-01")).await;
    assert_eq!(refused.err(), Some(NotIn::Refused(5)));
    assert!(room.lasting_device(&good, "clock-01").await.session_present);
}

#[tokio::test]
async fn a_tls_session_that_is_resumed_is_judged_anew() {
    let (room, other) = (Room::new().await, Room::new().await);
    room.trust.set_registered(&[der(&other.authority)]);
    let theirs = other.certificate("clock-02");
    let config = Arc::new(room.client_tls(Some(&theirs)));
    let enter = async || {
        let wire = tls(&room, &config).await.unwrap();
        let kind = wire.get_ref().1.handshake_kind().unwrap();
        (kind, Client::connect(Box::new(wire), Options::clean("clock-02")).await)
    };
    let (kind, client) = enter().await;
    assert_eq!(kind, HandshakeKind::Full);
    client.unwrap().disconnect().await;
    let (kind, client) = enter().await;
    assert_eq!(kind, HandshakeKind::Resumed);
    client.unwrap().disconnect().await;

    room.trust.set_registered(&[]);

    let (kind, client) = enter().await;
    assert_eq!(kind, HandshakeKind::Resumed, "TLS itself believes what it once believed");
    assert_eq!(client.err(), Some(NotIn::Closed));
}

/// Connects from another address of this machine.
async fn from(host: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn thousands_half_way_in_from_one_address_keep_nobody_out() {
    let room = Room::new().await;
    let mut silent = Vec::new();
    for _ in 0..5_000 {
        silent.push(from(2, room.mqtts()).await);
    }
    let mut device = room.device("clock-01").await;
    device.ping().await.unwrap();

    // Beyond its own places the address is turned away at once.
    let mut byte = [0];
    let beyond = silent.last_mut().unwrap().read(&mut byte);
    let read = tokio::time::timeout(PATIENCE, beyond).await.expect("it is closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn a_place_half_way_in_is_free_again_after_the_answer() {
    let knocks = KnockLimits { from_one: 1, in_all: 100 };
    let room = Room::with(|mqtts| mqtts.knocks = knocks).await;
    let certificates: Vec<IssuedDevice> =
        (1..=5).map(|number| room.certificate(&format!("clock-0{number}"))).collect();
    let mut inside = Vec::new();
    for (number, certificate) in (1..).zip(&certificates) {
        let options = Options::clean(&format!("clock-0{number}"));
        inside.push(room.device_with(certificate, options).await);
    }
    for device in &mut inside {
        device.ping().await.unwrap();
    }

    // After TLS and before a CONNECT it is still half-way in.
    let wire = tls(&room, &Arc::new(room.client_tls(Some(&certificates[0])))).await.unwrap();
    let turned_away = room.try_device(Some(&certificates[1]), Options::clean("clock-02")).await;
    assert_eq!(turned_away.err(), Some(NotIn::Closed));
    drop(wire);
    crate::room::until("the place is free again", async || {
        room.try_device(Some(&certificates[1]), Options::clean("clock-02")).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn certificates_of_servers_are_no_devices() {
    let (room, names) = (Room::new().await, crate::room::names());
    // What the authority of the people signs comes with those between.
    let people = room.authority.issue_people(&names, now()).unwrap().server;
    let posing = IssuedDevice {
        cert_pem: people.cert_pem,
        key_pem: people.key_pem,
        issuer: String::new(),
        serial: String::new(),
        not_after: now(),
    };
    let refused = room.try_device(Some(&posing), Options::clean("localhost")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));
    let server = room.authority.issue_server(&names, now()).unwrap();
    let posing = IssuedDevice { cert_pem: server.cert_pem, key_pem: server.key_pem, ..posing };
    let refused = room.try_device(Some(&posing), Options::clean("Otaru server")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));
}
