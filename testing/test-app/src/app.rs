use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otaru_authority::{Authority, KeyCommand};
use otaru_blobs::{Blobs, Bucket, DEFAULT_CACHE_BYTES};
use otaru_broker::{Addresses, Broker, BrokerConfig, DeviceLimits, MqttsListener};
use otaru_doors::KnockLimits;
use otaru_http::{HealthFor, Listener, OfferedAuthority, Readiness, Security, Serving};
use otaru_operations::{
    App, AppConfig, BucketWatch, Clock, DownloadSettings, IdentityProvider, MailSettings, Mailer,
    MqttIngress, Outbound, OutboundSettings, PatchSettings, PatchWorker, Role, SealingKey,
    ShadowSettings, USUAL_SHARED_TOKENS, Urls, create_setup_code, deliver_mail, deliver_notices,
    expire_silent_updates, look_at_due_offers, start_up, trim_shadow_history,
};
use otaru_store::Store;
use otaru_wire::Namespace;
use rustls::ClientConfig;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::device::trusting;
use crate::ports::{Bound, Port, Ports};
use crate::{AccessKey, Client, Device, Firmware, MqttSession, Publisher};

/// How long a certificate holds for a device's own key: the broker judges it by the machine's
/// clock, whenever the tests run.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3_600);

/// When every test begins: 2026-11-23 12:00 UTC, a Monday.
pub(crate) const START_MS: i64 = 1_795_435_200_000;

/// What people of these tests choose.
pub const PASSWORD: &str = "correct horse";

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
    /// The server's database, for what no operation does.
    pub store: Store,
    /// The server's time; [`TestApp::advance`] moves it.
    pub clock: Clock,
    /// `/readyz` answers what this says.
    pub readiness: Readiness,
    ports: Ports,
    broker: Broker,
    admin_token: String,
    publisher: Publisher,
    mail: Option<MailSettings>,
    deliveries: Vec<JoinHandle<()>>,
    // Dropped last: the server's files and its database.
    home: Home,
}

/// What a server finds again when it starts anew.
struct Home {
    directory: TempDir,
    database_url: String,
    postgres: Option<otaru_postgres::Database>,
    sealing_key: SealingKey,
    shadows: ShadowSettings,
    downloads: DownloadSettings,
    patches: PatchSettings,
    /// Where images are, if not in the directory.
    images: Option<(String, Vec<(String, String)>)>,
    shared_tokens: u32,
    second_factor_roles: Vec<Role>,
    /// The bucket to be watched.
    watched: Option<(String, Vec<(String, String)>)>,
    providers: Vec<IdentityProvider>,
    /// Signs with the authority's key, which is not in the directory any more.
    key_command: Option<KeyCommand>,
}

impl Home {
    fn fresh(database: Database) -> Home {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(otaru_postgres::Database::fresh()),
        };
        let database_url = match &postgres {
            None => Store::sqlite_url(&directory.path().join("otaru.db")),
            Some(database) => database.url().to_owned(),
        };
        let sealing_key = SealingKey::random().expect("random bytes");
        let shadows = ShadowSettings::default();
        let downloads = DownloadSettings::default();
        let shared_tokens = USUAL_SHARED_TOKENS;
        Home {
            directory,
            database_url,
            postgres,
            sealing_key,
            shadows,
            downloads,
            patches: PatchSettings::default(),
            images: None,
            shared_tokens,
            second_factor_roles: Vec::new(),
            watched: None,
            providers: Vec::new(),
            key_command: None,
        }
    }

    fn authority(&self) -> Authority {
        let folder = self.directory.path().join("ca");
        let authority = match &self.key_command {
            None => Authority::open_or_create(&folder, start()),
            Some(command) => Authority::open_outside(&folder, command.clone(), start()),
        };
        authority.expect("an authority")
    }
}

/// One run of the server, from its start to its end.
struct Run {
    operations: App,
    store: Store,
    readiness: Readiness,
    broker: Broker,
    deliveries: Vec<JoinHandle<()>>,
    bound: Bound,
    admin_token: Option<String>,
}

impl Run {
    async fn start(
        home: &Home,
        clock: &Clock,
        mail: Option<&MailSettings>,
        make_admin_token: bool,
    ) -> Run {
        let mail = mail.map(|settings| Mailer::new(settings).expect("settings that hold"));
        let (mailer, outbox) = mail.unzip();
        let (store, notices) = Store::open(&home.database_url).await.expect("the database opens");
        let folder = home.directory.path().join("blobs").display().to_string();
        let (images, options) = home.images.clone().unwrap_or((folder, Vec::new()));
        let blobs =
            Blobs::open_with(&images, options, DEFAULT_CACHE_BYTES).expect("an image store");
        let authority = home.authority();
        let names = ["127.0.0.1".to_owned()];
        let people = authority.issue_people(&names, start()).expect("a certificate");
        let offered = OfferedAuthority::default();
        offered.offer(people.root.pem, people.root.der);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let trust = authority.device_trust();
        let server = authority.issue_server(&names, start()).expect("a certificate");
        let mqtts = MqttsListener {
            address: any_port,
            tls: authority.mqtt_tls(&server, &trust).expect("a certificate"),
            trust: trust.clone(),
            knocks: KnockLimits::USUAL,
            // Its clock stands still, and a limit with it.
            limits: DeviceLimits::NONE,
        };
        let device_tls = authority.device_tls(&server, &trust).expect("a certificate");
        let security = Security::Devices(device_tls, trust.clone());
        let (broker_clock, namespace) = (clock.clone(), Namespace::default());
        let config = AppConfig {
            store: store.clone(),
            blobs,
            authority,
            trust,
            clock: clock.clone(),
            namespace,
            sealing_key: home.sealing_key.clone(),
            mailer,
            shadows: home.shadows.clone(),
            downloads: home.downloads.clone(),
            patches: home.patches.clone(),
            shared_tokens: home.shared_tokens,
            second_factor_roles: home.second_factor_roles.clone(),
            certificate_life: CERTIFICATE_LIFE,
            bucket_watch: home.watched.as_ref().map(|(url, options)| BucketWatch {
                bucket: Bucket::open_with(url, options.clone()).expect("a bucket"),
                interval: Duration::from_secs(3_600),
            }),
            providers: home.providers.clone(),
            outbound: Outbound::new(&OutboundSettings {
                private_hosts: vec!["127.0.0.1".to_owned()],
            })
            .expect("TLS of this machine"),
        };
        let app = App::new(config).await.expect("the parts fit");
        app.set_urls(Urls {
            public_url: "https://otaru.example".to_owned(),
            device_url: "https://devices.otaru.example".to_owned(),
            mqtt_url: "mqtts://devices.otaru.example".to_owned(),
        });
        let admin_token = start_up(&app, make_admin_token).await.expect("a database that works");
        let broker = BrokerConfig {
            mqtts: Some(mqtts),
            plain: Some(any_port),
            namespace: Namespace::default(),
            clock: Arc::new(move || broker_clock.now_ms()),
            retained_is_refused: home.shadows.rules.dialect.retained_is_refused,
        };
        let ingress = Arc::new(MqttIngress::new(app.clone()));
        let broker = Broker::start(broker, ingress).await.expect("free ports");
        let notices = tokio::spawn(deliver_notices(app.clone(), broker.clone(), notices));
        let outbox = outbox.map(|outbox| tokio::spawn(deliver_mail(outbox)));
        let deliveries = std::iter::once(notices).chain(outbox).collect();
        let readiness = Readiness::default();
        readiness.set(true);
        let health = HealthFor::ThisMachine;
        let bound = Bound {
            people: offered.on(otaru_http::router(app.clone(), readiness.clone(), health)),
            devices: otaru_http::device_router(app.clone(), readiness.clone(), health),
            mqtt: broker.addresses(),
            security,
        };
        Run { operations: app, store, readiness, broker, deliveries, bound, admin_token }
    }
}

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(START_MS.unsigned_abs())
}

impl TestApp {
    /// Starts a fresh server, which sends no mail.
    pub async fn start(database: Database) -> TestApp {
        TestApp::start_with(database, None).await
    }

    /// Starts a fresh server that sends mail.
    pub async fn start_with_mail(database: Database, url: String, ca: Option<String>) -> TestApp {
        let from = "Otaru <otaru@example.org>".to_owned();
        TestApp::start_with(database, Some(MailSettings { url, from, ca_pem: ca })).await
    }

    async fn start_with(database: Database, mail: Option<MailSettings>) -> TestApp {
        let (home, clock) = (Home::fresh(database), Clock::by_hand(START_MS));
        let run = Run::start(&home, &clock, mail.as_ref(), true).await;
        TestApp {
            operations: run.operations,
            store: run.store,
            clock,
            readiness: run.readiness,
            ports: Ports::new(run.bound),
            broker: run.broker,
            admin_token: run.admin_token.expect("asked for"),
            publisher: Publisher::default(),
            mail,
            deliveries: run.deliveries,
            home,
        }
    }

    /// Gives the server another key for its secrets, from its next start on.
    pub fn lose_sealing_key(&mut self) {
        self.home.sealing_key = SealingKey::random().expect("random bytes");
    }

    /// Gives the shadow service other settings, from its next start on.
    pub fn set_shadows(&mut self, settings: ShadowSettings) {
        self.home.shadows = settings;
    }

    /// Sends images in another way, from the server's next start on.
    pub fn set_downloads(&mut self, settings: DownloadSettings) {
        self.home.downloads = settings;
    }

    /// Makes patches in another way, from the server's next start on.
    pub fn set_patches(&mut self, settings: PatchSettings) {
        self.home.patches = settings;
    }

    /// Keeps images behind this URL, with these options of the store, from the server's next
    /// start on.
    pub fn set_images(&mut self, url: String, options: Vec<(String, String)>) {
        self.home.images = Some((url, options));
    }

    /// Watches this bucket, from the server's next start on; the test says when it is looked at.
    pub fn set_watched_bucket(&mut self, url: String, options: Vec<(String, String)>) {
        self.home.watched = Some((url, options));
    }

    /// Has these identity providers, from the server's next start on.
    pub fn set_providers(&mut self, providers: Vec<IdentityProvider>) {
        self.home.providers = providers;
    }

    /// Sets how many tokens may act for no person, from the server's next start on.
    pub fn set_shared_tokens(&mut self, most: u32) {
        self.home.shared_tokens = most;
    }

    /// Has people with these roles need a second factor, from the server's next start on.
    pub fn require_second_factor(&mut self, roles: &[Role]) {
        self.home.second_factor_roles = roles.to_vec();
    }

    /// Takes the authority's key out of the server's files and has a command sign with it, from
    /// the server's next start on: this one with the key's path behind it.
    pub fn take_key_outside(&mut self, command: &[&str]) {
        let home = self.home.directory.path();
        let (inside, outside) = (home.join("ca/ca.key"), home.join("outside.key"));
        if inside.exists() {
            std::fs::rename(inside, &outside).expect("a key");
        }
        let path = outside.to_str().expect("a UTF-8 path");
        let words = command.iter().copied().chain([path]).map(str::to_owned).collect();
        self.home.key_command = KeyCommand::new(words, Duration::from_secs(30));
    }

    /// Ends the server and starts it again on the same database and files.
    ///
    /// Every MQTT connection and event stream ends. Those who were there before find it again:
    /// clients and devices need not be made anew.
    pub async fn restart(&mut self) {
        self.broker.clone().shutdown().await;
        self.deliveries.iter().for_each(JoinHandle::abort);
        // Streams that a test still holds keep the old store open, and it its database.
        if let Some(postgres) = &self.home.postgres {
            postgres.end_sessions();
        }
        let run = Run::start(&self.home, &self.clock, self.mail.as_ref(), false).await;
        self.operations = run.operations;
        self.store = run.store;
        self.readiness = run.readiness;
        self.broker = run.broker;
        self.deliveries = run.deliveries;
        self.ports.replace(run.bound);
    }

    /// The server's database, where that is one of PostgreSQL.
    pub fn postgres(&self) -> Option<&otaru_postgres::Database> {
        self.home.postgres.as_ref()
    }

    /// The files of the image store, by name.
    pub fn stored_images(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.image_folder());
        // Folders hold what is on its way.
        let files = entries
            .expect("a directory")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.file_type().expect("a type").is_file());
        let names = files.map(|entry| entry.file_name().into_string().expect("a UTF-8 name"));
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    /// The folder of the image store.
    pub fn image_folder(&self) -> PathBuf {
        self.home.directory.path().join("blobs")
    }

    /// Moves the server's time forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Moves the server's time forward and does what its passing asks for.
    pub async fn let_pass(&self, by: Duration) {
        self.advance(by);
        expire_silent_updates(&self.operations).await.expect("a database that works");
        look_at_due_offers(&self.operations).await.expect("a database that works");
    }

    /// Makes every patch that is wanted now; returns how many were worked on.
    pub async fn make_patches(&self) -> u32 {
        let worker = PatchWorker::new(&self.operations);
        let mut made = 0;
        while worker.make_next().await.expect("a database that works") {
            made += 1;
        }
        made
    }

    /// Does what a server does soon after its start: drops versions that are kept no more.
    pub async fn trim_shadow_history(&self) {
        trim_shadow_history(&self.operations).await.expect("a database that works");
    }

    /// The certificate of the server's own authority for devices, PEM.
    pub fn own_authority(&self) -> String {
        let path = self.home.directory.path().join("ca/ca.pem");
        std::fs::read_to_string(path).expect("an authority")
    }

    /// Serves the people's routes on a real port, in the clear.
    pub fn serve_plain(&self) -> Serving {
        self.serve(Security::Plain)
    }

    /// Serves the people's routes on a real port over TLS; with what a client needs to trust it.
    pub fn serve_tls(&self) -> (Serving, ClientConfig) {
        let authority = self.home.authority();
        let names = ["127.0.0.1".to_owned()];
        let server = authority.issue_server(&names, start()).expect("a certificate");
        let security = Security::People(authority.people_tls(&server).expect("a certificate"));
        (self.serve(security), trusting(&authority.ca_pem()).with_no_client_auth())
    }

    /// Serves the devices' routes on a real port over TLS, as a server does.
    pub fn serve_devices(&self) -> Serving {
        any_port(self.ports.security()).serve(Port::Devices(self.ports.clone()).router())
    }

    /// A device's connection, as if TLS had found its certificate on it.
    pub fn serve_device(&self, device: &Device) -> Serving {
        any_port(Security::Plain).serve(device.https.connected_router())
    }

    /// As [`TestApp::serve_plain`], on a port that is set otherwise.
    pub fn serve_plain_with(&self, set: impl FnOnce(Listener) -> Listener) -> Serving {
        set(any_port(Security::Plain)).serve(Port::People(self.ports.clone()).router())
    }

    fn serve(&self, security: Security) -> Serving {
        any_port(security).serve(Port::People(self.ports.clone()).router())
    }

    /// Somebody without a credential, on the people's port.
    pub fn anonymous(&self) -> Client {
        Client::new(Port::People(self.ports.clone()))
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

    /// A new person in their browser, with the password [`PASSWORD`].
    pub async fn person(&self, email: &str, role: &str) -> Client {
        let invited = json!({ "email": email, "role": role });
        let invited = self.admin().post("/api/v1/invitations", invited).await.expect_status(201);
        self.accept(&invited.json()["url"]).await
    }

    /// Takes an invitation in a browser, with the password [`PASSWORD`].
    pub async fn accept(&self, url: &serde_json::Value) -> Client {
        let (_, code) = url.as_str().and_then(|url| url.split_once('#')).expect("a link");
        let taken = json!({ "code": code, "password": PASSWORD });
        let taken = self.anonymous().post("/app/invitation", taken).await.expect_status(201);
        self.anonymous().signed_in(&taken)
    }

    /// The code for the first administrator, as the server would print it.
    pub async fn setup_code(&self) -> Option<String> {
        let code = create_setup_code(&self.operations).await.expect("a database that works");
        code.map(|code| code.as_str().to_owned())
    }

    /// An administrator's token of another organisation.
    pub async fn foreign_admin(&self) -> Client {
        let wanted = json!({ "name": "elsewhere", "email": "admin@elsewhere.example" });
        let made = self.admin().post("/api/v1/organisations", wanted).await.expect_status(201);
        let browser = self.accept(&made.json()["url"]).await;
        let token = json!({ "user": "admin@elsewhere.example" });
        let made = browser.post("/api/v1/tokens", token).await.expect_status(201);
        self.bearer(made.json()["token"].as_str().expect("a token"))
    }

    /// An access key, made by the administrator; `wanted` as for a token.
    pub async fn access_key(&self, wanted: serde_json::Value) -> AccessKey {
        let mut wanted = wanted;
        wanted["aws"] = true.into();
        let made = self.admin().post("/api/v1/tokens", wanted).await.expect_status(201);
        AccessKey::new(&made.json(), self.clock.clone())
    }

    async fn token(&self, wanted: serde_json::Value) -> Client {
        let made = self.admin().post("/api/v1/tokens", wanted).await.expect_status(201);
        self.bearer(made.json()["token"].as_str().expect("a token"))
    }

    /// Somebody without a certificate, on the devices' port.
    pub fn stranger(&self) -> Client {
        Client::new(Port::Devices(self.ports.clone()))
    }

    /// Creates a product for ESP32-C3 with 4 MiB of flash.
    pub async fn create_product(&self, name: &str, download: &str) {
        self.add_product(&self.admin(), name, download).await;
    }

    /// Creates one of the organisation of this administrator.
    pub async fn create_product_as(&self, admin: &Client, name: &str) {
        self.add_product(admin, name, "device").await;
    }

    async fn add_product(&self, admin: &Client, name: &str, download: &str) {
        let product = json!({
            "name": name,
            "chip": "esp32c3",
            "flash_bytes": 4 << 20,
            "root": self.publisher.root_base64(),
            "download": download,
        });
        admin.post("/api/v1/products", product).await.expect_status(201);
    }

    /// Registers a device; its client comes with its certificate, on the devices' port.
    pub async fn add_device(&self, thing: &str, product: &str) -> Client {
        self.provision(thing, product).await.https
    }

    /// Registers a device and gives it all it needs to connect.
    pub async fn provision(&self, thing: &str, product: &str) -> Device {
        let device = json!({ "thing": thing, "product": product });
        let files = self.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        self.device_of(&files)
    }

    /// Connects over mutual TLS with any certificate, under any name; why not, if it is not let in.
    pub async fn connect_with(
        &self,
        client_id: &str,
        files: &serde_json::Value,
    ) -> Result<MqttSession, String> {
        MqttSession::with_certificate(client_id, files, &self.ports).await
    }

    /// A device that was given these files.
    pub fn device_of(&self, files: &serde_json::Value) -> Device {
        Device::new(files, self.ports.clone())
    }

    /// Where the broker listens now, for a client of the test's own.
    pub fn mqtt_addresses(&self) -> Addresses {
        self.ports.mqtt()
    }

    /// Connects a trusted program of this machine to the plain MQTT port.
    pub async fn backend(&self, client_id: &str) -> MqttSession {
        MqttSession::backend(client_id, &self.ports).await
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
        self.deliveries.iter().for_each(JoinHandle::abort);
    }
}

fn any_port(security: Security) -> Listener {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Listener::bind(any_port, security).expect("a free port")
}
