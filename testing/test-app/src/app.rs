use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use otaru_authority::KeyCommand;
use otaru_broker::Broker;
use otaru_http::{Listener, Readiness, Security, Serving};
use otaru_operations::{
    App, Clock, DownloadSettings, IdentityProvider, MailSettings, PatchSettings, PatchWorker, Role,
    SealingKey, ShadowSettings, expire_silent_updates, look_at_due_offers, trim_shadow_history,
};
use otaru_store::Store;
use rustls::ClientConfig;
use tokio::task::JoinHandle;

use crate::device::trusting;
use crate::ports::{Port, Ports};
use crate::server::{Home, Run, start};
use crate::{Device, Publisher};

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
    pub(crate) ports: Ports,
    broker: Broker,
    pub(crate) admin_token: String,
    pub(crate) publisher: Publisher,
    mail: Option<MailSettings>,
    deliveries: Vec<JoinHandle<()>>,
    // Dropped last: the server's files and its database.
    home: Home,
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
