//! A server certificate that is replaced while devices are connected.

use std::fs;
use std::sync::Arc;

use otaru_authority::Authority;
use otaru_broker::BrokerError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::room::{Room, now, shadow};

impl Room {
    /// The certificate that a device meets.
    async fn met(&self) -> CertificateDer<'static> {
        let tls = self.client_tls(Some(&self.certificate("clock-02")));
        let socket = TcpStream::connect(self.mqtts()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let wire = TlsConnector::from(Arc::new(tls)).connect(name, socket).await.unwrap();
        wire.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

fn on_disk(authority: &Authority) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(authority.server_certificate_path()).unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_met_by_those_who_come_and_ends_nobody() {
    let room = Room::new().await;
    let mut device = room.device("clock-01").await;
    let delta = shadow("clock-01", "update/delta");
    device.subscribe(&delta, 1).await;
    let old = on_disk(&room.authority);
    assert_eq!(room.met().await, old);

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "ota.lan".to_owned()];
    room.authority.issue_server(&names, now()).unwrap();
    let address = room.mqtts();
    room.broker.renew_certificate().await.unwrap();

    assert_eq!(room.mqtts(), address);
    assert_ne!(on_disk(&room.authority), old);
    assert_eq!(room.met().await, on_disk(&room.authority));
    room.publish(&delta, "still here").await;
    assert_eq!(device.next().await.text(), "still here");
    room.broker.renew_certificate().await.unwrap();
    room.device("clock-03").await;
}

#[tokio::test]
async fn files_that_are_no_good_leave_the_listener_as_it_is() {
    let room = Room::new().await;
    let old = on_disk(&room.authority);
    fs::write(room.authority.server_certificate_path(), "nothing").unwrap();

    let error = room.broker.renew_certificate().await.unwrap_err();

    assert!(matches!(error, BrokerError::Tls { .. }), "{error}");
    assert_eq!(room.met().await, old);
}
