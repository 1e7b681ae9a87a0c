use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use otaru_authority::Authority;
use otaru_blobs::Blobs;
use otaru_broker::{Broker, BrokerConfig};
use otaru_http::Readiness;
use otaru_operations::{
    App, AppConfig, Clock, MqttIngress, PeerCertificate, Urls, deliver_notices, start_up,
};
use otaru_store::Store;
use otaru_wire::Namespace;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{Client, Firmware, Publisher};

/// When every test begins: 2026-11-23 12:00 UTC, a Monday.
const START_MS: i64 = 1_795_435_200_000;

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of the test's own.
    Sqlite,
    /// A database of its own on a PostgreSQL shared by the run.
    Postgres,
}

/// A server of one test's own.
pub struct TestApp {
    /// What the routes call.
    pub operations: App,
    /// The server's time; [`TestApp::advance`] moves it.
    pub clock: Clock,
    /// `/readyz` answers what this says.
    pub readiness: Readiness,
    people: Router,
    devices: Router,
    admin_token: String,
    publisher: Publisher,
    deliveries: JoinHandle<()>,
    // Dropped last: the server's files and its database.
    _directory: TempDir,
    _database: Option<otaru_postgres::Database>,
}

impl TestApp {
    /// Starts a fresh server.
    pub async fn start(database: Database) -> TestApp {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(otaru_postgres::Database::fresh()),
        };
        let url = match &postgres {
            None => Store::sqlite_url(&directory.path().join("otaru.db")),
            Some(database) => database.url().to_owned(),
        };
        let (store, notices) = Store::open(&url).await.expect("the database opens");
        let images = directory.path().join("blobs");
        let blobs = Blobs::open(images.to_str().expect("a UTF-8 path")).expect("a directory");
        let now = UNIX_EPOCH + Duration::from_millis(START_MS.unsigned_abs());
        let authority = Authority::open_or_create(&directory.path().join("ca"), now);
        let authority = authority.expect("a new authority");
        let (clock, namespace) = (Clock::by_hand(START_MS), Namespace::default());
        let config = AppConfig {
            store,
            blobs,
            authority,
            clock: clock.clone(),
            namespace: namespace.clone(),
        };
        let app = App::new(config).await.expect("the parts fit");
        app.set_urls(Urls {
            public_url: "https://otaru.example".to_owned(),
            device_url: "https://devices.otaru.example".to_owned(),
            mqtt_url: "mqtts://devices.otaru.example".to_owned(),
        });
        let admin_token = start_up(&app, true).await.expect("a fresh database");
        let broker_clock = clock.clone();
        let broker = BrokerConfig {
            mqtts: None,
            plain: None,
            namespace,
            clock: Arc::new(move || broker_clock.now_ms()),
        };
        let ingress = Arc::new(MqttIngress::new(app.clone()));
        let broker = Broker::start(broker, ingress).await.expect("nothing to listen on");
        let deliveries = tokio::spawn(deliver_notices(app.clone(), broker, notices));
        let readiness = Readiness::default();
        readiness.set(true);
        TestApp {
            people: otaru_http::router(app.clone(), readiness.clone()),
            devices: otaru_http::device_router(app.clone(), readiness.clone()),
            operations: app,
            clock,
            readiness,
            admin_token: admin_token.expect("asked for"),
            publisher: Publisher::default(),
            deliveries,
            _directory: directory,
            _database: postgres,
        }
    }

    /// Moves the server's time forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Somebody without a credential, on the people's port.
    pub fn anonymous(&self) -> Client {
        Client::new(self.people.clone())
    }

    /// The holder of a token, on the people's port.
    pub fn bearer(&self, token: &str) -> Client {
        self.anonymous().with_token(token)
    }

    /// The administrator of the first start.
    pub fn admin(&self) -> Client {
        self.bearer(&self.admin_token)
    }

    /// A token that may publish and acts for nobody.
    pub async fn publisher(&self) -> Client {
        self.token(json!({ "role": "publisher" })).await
    }

    /// A token that runs the fleet and acts for nobody.
    pub async fn operator(&self) -> Client {
        self.token(json!({ "role": "operator" })).await
    }

    /// A new end user.
    pub async fn owner(&self, email: &str) -> Client {
        let user = json!({ "email": email, "role": "owner" });
        self.admin().post("/api/v1/users", user).await.expect_status(201);
        self.token(json!({ "user": email })).await
    }

    async fn token(&self, wanted: serde_json::Value) -> Client {
        let made = self.admin().post("/api/v1/tokens", wanted).await.expect_status(201);
        self.bearer(made.json()["token"].as_str().expect("a token"))
    }

    /// Somebody without a certificate, on the devices' port.
    pub fn stranger(&self) -> Client {
        Client::new(self.devices.clone())
    }

    /// Creates a product for ESP32-C3 with 4 MiB of flash.
    pub async fn create_product(&self, name: &str, download: &str) {
        let product = json!({
            "name": name,
            "chip": "esp32c3",
            "flash_bytes": 4 << 20,
            "root": self.publisher.root_base64(),
            "download": download,
        });
        self.admin().post("/api/v1/products", product).await.expect_status(201);
    }

    /// Registers a device; its client comes with its certificate, on the devices' port.
    pub async fn add_device(&self, thing: &str, product: &str) -> Client {
        let device = json!({ "thing": thing, "product": product });
        let added = self.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        let pem = added["cert_pem"].as_str().expect("a certificate");
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let peer = PeerCertificate::read(&der).expect("a certificate that names a thing");
        self.stranger().with_certificate(peer)
    }

    /// Makes somebody the owner of a device.
    pub async fn claim(&self, owner: &Client, thing: &str) {
        let path = format!("/api/v1/devices/{thing}/claim-code");
        let code = self.admin().post(&path, json!({})).await.expect_status(201).json();
        let claim = json!({ "code": code["code"] });
        owner.post("/app/devices/claim", claim).await.expect_status(200);
    }

    /// A firmware as a publisher would build and sign it; nothing is uploaded yet.
    pub fn firmware(&self, product: &str, version: &str, sequence: u64) -> Firmware {
        self.publisher.firmware(product, version, sequence)
    }

    /// The keys of every product of this server.
    pub fn keys(&self) -> &Publisher {
        &self.publisher
    }

    /// Publishes a release.
    pub async fn publish(&self, product: &str, version: &str, sequence: u64) -> Firmware {
        let firmware = self.firmware(product, version, sequence);
        let path = format!("/api/v1/products/{product}/releases");
        self.admin().upload(&path, &firmware.form()).await.expect_status(201);
        firmware
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.deliveries.abort();
    }
}
