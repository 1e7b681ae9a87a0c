use std::sync::Arc;
use std::time::Duration;

use otaru_doors::fingerprint;
use otaru_operations::PeerCertificate;
use rustls::client::WantsClientCert;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde_json::Value;

use crate::app::START_MS;
use crate::ports::{Port, Ports};
use crate::{Client, MqttSession};

/// A registered device: what `device add` gave it, and how it reaches the server.
#[derive(Clone)]
pub struct Device {
    /// Its name.
    pub thing: String,
    /// Serial number of its certificate.
    pub serial: String,
    /// Its certificate, as TLS finds it.
    pub peer: PeerCertificate,
    /// The devices' HTTPS port, with its certificate.
    pub https: Client,
    ports: Ports,
    cert_pem: String,
    key_pem: String,
    ca_pem: String,
}

impl Device {
    pub(crate) fn new(files: &Value, ports: Ports) -> Device {
        let text = |name: &str| files[name].as_str().expect(name).to_owned();
        let cert_pem = text("cert_pem");
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).expect("PEM");
        let ca_pem = text("ca_pem");
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM");
        // A test says so where it is not the server's authority.
        let issuer = files["issuer"].as_str().map_or_else(|| fingerprint(&ca), str::to_owned);
        let peer = PeerCertificate::read(&der, &issuer);
        let peer = peer.expect("a certificate that names a thing");
        Device {
            thing: files["device"]["thing"].as_str().expect("a name").to_owned(),
            serial: peer.serial.clone(),
            https: Client::new(Port::Devices(ports.clone())).with_certificate(peer.clone()),
            peer,
            ports,
            cert_pem,
            key_pem: text("key_pem"),
            ca_pem,
        }
    }

    /// Connects over mutual TLS and subscribes to all topics of its shadows.
    pub async fn connect(&self) -> MqttSession {
        let mut session = self.connect_silently().await;
        session.subscribe(&format!("$aws/things/{}/shadow/#", self.thing)).await;
        session
    }

    /// Connects over mutual TLS and subscribes to nothing.
    pub async fn connect_silently(&self) -> MqttSession {
        MqttSession::device(&self.thing, &self.ports, self.tls()).await
    }

    /// Tries to connect over mutual TLS, and is refused.
    pub async fn refused(&self) {
        MqttSession::refused(&self.thing, &self.ports, self.tls()).await
    }

    /// TLS with its certificate, for a client of the test's own.
    pub fn tls(&self) -> Arc<ClientConfig> {
        tls(&self.cert_pem, &self.key_pem, &self.ca_pem)
    }
}

/// TLS with the certificate and key of an answer.
pub(crate) fn tls_of(files: &Value) -> Arc<ClientConfig> {
    let text = |name: &str| files[name].as_str().expect(name);
    tls(text("cert_pem"), text("key_pem"), text("ca_pem"))
}

fn tls(cert_pem: &str, key_pem: &str, ca_pem: &str) -> Arc<ClientConfig> {
    let chain = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).expect("a key");
    let config = trusting(ca_pem);
    Arc::new(config.with_client_auth_cert(chain, key).expect("key and certificate match"))
}

/// TLS for a client that trusts these authorities of the server alone.
pub(crate) fn trusting(ca_pem: &str) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(ca.expect("a CA")).expect("a CA");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(TheStart))
        .with_safe_default_protocol_versions()
        .expect("versions the provider has")
        .with_root_certificates(roots)
}

/// The server's certificate is made when the test begins, and judged then: tests do not expire.
#[derive(Debug)]
struct TheStart;

impl TimeProvider for TheStart {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(START_MS.unsigned_abs())))
    }
}
