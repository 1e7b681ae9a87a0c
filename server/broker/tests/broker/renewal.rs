//! A server certificate that is replaced while devices are connected.

use std::sync::Arc;

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

#[tokio::test]
async fn a_renewed_certificate_is_met_by_those_who_come_and_ends_nobody() {
    let room = Room::new().await;
    let mut device = room.device("clock-01").await;
    let delta = shadow("clock-01", "update/delta");
    device.subscribe(&delta, 1).await;
    let old = room.met().await;

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "ota.lan".to_owned()];
    let renewed = room.authority.issue_server(&names, now()).unwrap();
    let address = room.mqtts();
    room.broker.replace_tls(room.authority.mqtt_tls(&renewed, &room.trust).unwrap());

    assert_eq!(room.mqtts(), address);
    let new = CertificateDer::from_pem_slice(renewed.cert_pem.as_bytes()).unwrap();
    assert_ne!(new, old);
    assert_eq!(room.met().await, new);
    room.publish(&delta, "still here").await;
    assert_eq!(device.next().await.text(), "still here");
    room.device("clock-03").await;
}
