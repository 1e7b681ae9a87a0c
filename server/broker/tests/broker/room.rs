//! A broker of its own for each test, with its authority and service.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use otaru_authority::{Authority, IssuedDevice};
use otaru_broker::{Broker, BrokerConfig, DeviceLimits, Message, MqttsListener};
use otaru_doors::{DeviceTrust, KnockLimits};
use otaru_wire::{Namespace, OrganisationId, ThingName};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Client, NotIn, Options, PATIENCE};
use crate::service::{Heard, Service};

pub(crate) struct Room {
    pub(crate) broker: Broker,
    pub(crate) service: Arc<Service>,
    pub(crate) heard: Heard,
    pub(crate) authority: Authority,
    pub(crate) trust: DeviceTrust,
    dir: tempfile::TempDir,
}

/// When tests take place: certificates are made and judged by the real clock.
#[expect(clippy::disallowed_methods, reason = "rustls reads the real clock as well")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

fn now_ms() -> i64 {
    let since = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap()
}

/// Moves a clock that stands.
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn move_on(&self, ms: i64) {
        self.0.fetch_add(ms, SeqCst);
    }
}

pub(crate) fn shadow(thing: &str, rest: &str) -> String {
    format!("$aws/things/{thing}/shadow/{rest}")
}

impl Room {
    pub(crate) async fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now()).unwrap();
        Room::of(authority, dir, |_| {}).await
    }

    /// With other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut MqttsListener)) -> Room {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now()).unwrap();
        Room::of(authority, dir, |config| change(config.mqtts.as_mut().unwrap())).await
    }

    /// With limits, and a clock that stands until the test moves it.
    pub(crate) async fn limited(limits: DeviceLimits) -> (Room, Hand) {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca"), now()).unwrap();
        let hand = Hand(Arc::new(AtomicI64::new(now_ms())));
        let clock = hand.0.clone();
        let change = |config: &mut BrokerConfig| {
            config.mqtts.as_mut().unwrap().limits = limits;
            config.clock = Arc::new(move || clock.load(SeqCst));
        };
        (Room::of(authority, dir, change).await, hand)
    }

    async fn of(
        authority: Authority,
        dir: tempfile::TempDir,
        change: impl FnOnce(&mut BrokerConfig),
    ) -> Room {
        let (service, heard) = Service::new();
        let mut config = config(&authority);
        change(&mut config);
        let trust = config.mqtts.as_ref().unwrap().trust.clone();
        let broker = Broker::start(config, service.clone()).await.unwrap();
        Room { broker, service, heard, authority, trust, dir }
    }

    pub(crate) fn mqtts(&self) -> SocketAddr {
        self.broker.addresses().mqtts.unwrap()
    }

    pub(crate) fn plain(&self) -> SocketAddr {
        self.broker.addresses().plain.unwrap()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn certificate(&self, thing: &str) -> IssuedDevice {
        let thing = ThingName::new(thing).unwrap();
        self.authority.issue_device(&thing, &OrganisationId::default(), now()).unwrap()
    }

    /// A device with a new certificate and a clean session.
    pub(crate) async fn device(&self, thing: &str) -> Client {
        self.device_with(&self.certificate(thing), Options::clean(thing)).await
    }

    /// A device with a session that outlives the connection.
    pub(crate) async fn lasting_device(&self, certificate: &IssuedDevice, thing: &str) -> Client {
        self.device_with(certificate, Options::persistent(thing)).await
    }

    /// A device that says in its CONNECT what the test wants.
    pub(crate) async fn device_with(&self, certificate: &IssuedDevice, options: Options) -> Client {
        self.try_device(Some(certificate), options).await.expect("the device is let in")
    }

    pub(crate) async fn try_device(
        &self,
        certificate: Option<&IssuedDevice>,
        options: Options,
    ) -> Result<Client, NotIn> {
        let tls = TlsConnector::from(Arc::new(self.client_tls(certificate)));
        let socket = TcpStream::connect(self.mqtts()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        match tls.connect(name, socket).await {
            Ok(wire) => Client::connect(Box::new(wire), options).await,
            Err(_) => Err(NotIn::Closed),
        }
    }

    /// A device that is gone before the answer to its CONNECT.
    pub(crate) async fn device_that_breaks(&self, certificate: &IssuedDevice, options: &Options) {
        let tls = TlsConnector::from(Arc::new(self.client_tls(Some(certificate))));
        let socket = TcpStream::connect(self.mqtts()).await.unwrap();
        // Closing resets the connection, so that even the CONNACK may fail.
        socket.set_zero_linger().unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Client::knock(Box::new(tls.connect(name, socket).await.unwrap()), options).await;
    }

    pub(crate) fn client_tls(&self, certificate: Option<&IssuedDevice>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.authority.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match certificate {
            None => tls.with_no_client_auth(),
            Some(device) => {
                let chain = CertificateDer::pem_slice_iter(device.cert_pem.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(device.key_pem.as_bytes()).unwrap();
                tls.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }

    /// A backend on the plain listener.
    pub(crate) async fn backend(&self, client_id: &str) -> Client {
        self.try_backend(Options::clean(client_id)).await.expect("the backend is let in")
    }

    pub(crate) async fn try_backend(&self, options: Options) -> Result<Client, NotIn> {
        let wire = TcpStream::connect(self.plain()).await.unwrap();
        Client::connect(Box::new(wire), options).await
    }

    pub(crate) async fn publish(&self, topic: &str, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref().to_vec().into();
        self.broker.publish(Message { topic: topic.to_owned(), payload }).await;
    }
}

/// What the server is called here.
pub(crate) fn names() -> [String; 2] {
    ["localhost".to_owned(), "127.0.0.1".to_owned()]
}

/// Both listeners on free ports.
pub(crate) fn config(authority: &Authority) -> BrokerConfig {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let server = authority.issue_server(&names(), now()).unwrap();
    let trust = authority.device_trust();
    let mqtts = MqttsListener {
        address: loopback,
        tls: authority.mqtt_tls(&server, &trust).unwrap(),
        trust,
        knocks: KnockLimits::USUAL,
        limits: DeviceLimits::NONE,
    };
    BrokerConfig {
        mqtts: Some(mqtts),
        plain: Some(loopback),
        namespace: Namespace::default(),
        clock: Arc::new(now_ms),
        retained_is_refused: true,
    }
}

/// Looks again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("never: {what}"));
}
