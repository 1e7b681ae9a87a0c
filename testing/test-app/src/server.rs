use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otaru_authority::{Authority, KeyCommand};
use otaru_blobs::{Blobs, Bucket, DEFAULT_CACHE_BYTES};
use otaru_broker::{Broker, BrokerConfig, DeviceLimits, MqttsListener};
use otaru_doors::KnockLimits;
use otaru_http::{OfferedAuthority, PlainPort, Readiness, Security};
use otaru_operations::{
    App, AppConfig, BucketWatch, Clock, DownloadSettings, IdentityProvider, MailSettings, Mailer,
    MqttIngress, Outbound, OutboundSettings, PatchSettings, Role, SealingKey, ShadowSettings,
    USUAL_SHARED_TOKENS, Urls, deliver_mail, deliver_notices, start_up,
};
use otaru_store::Store;
use otaru_wire::Namespace;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::Database;
use crate::app::START_MS;
use crate::ports::Bound;

/// How long a certificate holds for a device's own key: the broker judges it by the machine's
/// clock, whenever the tests run.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3_600);

/// What a server finds again when it starts anew.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) database_url: String,
    pub(crate) postgres: Option<otaru_postgres::Database>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) shadows: ShadowSettings,
    pub(crate) downloads: DownloadSettings,
    pub(crate) patches: PatchSettings,
    /// Where images are, if not in the directory.
    pub(crate) images: Option<(String, Vec<(String, String)>)>,
    pub(crate) shared_tokens: u32,
    pub(crate) second_factor_roles: Vec<Role>,
    /// The bucket to be watched.
    pub(crate) watched: Option<(String, Vec<(String, String)>)>,
    pub(crate) providers: Vec<IdentityProvider>,
    /// Signs with the authority's key, which is not in the directory any more.
    pub(crate) key_command: Option<KeyCommand>,
}

impl Home {
    pub(crate) fn fresh(database: Database) -> Home {
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

    pub(crate) fn authority(&self) -> Authority {
        let folder = self.directory.path().join("ca");
        let authority = match &self.key_command {
            None => Authority::open_or_create(&folder, start()),
            Some(command) => Authority::open_outside(&folder, command.clone(), start()),
        };
        authority.expect("an authority")
    }
}

/// One run of the server, from its start to its end.
pub(crate) struct Run {
    pub(crate) operations: App,
    pub(crate) store: Store,
    pub(crate) readiness: Readiness,
    pub(crate) broker: Broker,
    pub(crate) deliveries: Vec<JoinHandle<()>>,
    pub(crate) bound: Bound,
    pub(crate) admin_token: Option<String>,
}

impl Run {
    pub(crate) async fn start(
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
        let bound = Bound {
            people: offered.on(otaru_http::router(
                app.clone(),
                readiness.clone(),
                PlainPort::Direct,
            )),
            devices: otaru_http::device_router(app.clone(), readiness.clone(), PlainPort::Direct),
            mqtt: broker.addresses(),
            security,
        };
        Run { operations: app, store, readiness, broker, deliveries, bound, admin_token }
    }
}

/// When the tests begin, as the authority counts.
pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(START_MS.unsigned_abs())
}
