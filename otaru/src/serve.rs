//! Puts the server together and runs it until it is asked to end.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use futures::future::{join_all, select_all};
use otaru_authority::{Authority, AuthorityError};
use otaru_blobs::Blobs;
use otaru_broker::{Broker, BrokerConfig, MqttsListener, log_losses};
use otaru_http::{PlainPort, Readiness, Serving};
use otaru_operations::{
    App, AppConfig, Clock, Mailer, MqttIngress, Outbound, create_setup_code, deliver_mail,
    deliver_notices, make_patches, providers_of_no_organisation, run_background, watch_bucket,
};
use otaru_store::Store;
use serde_json::json;
use tracing::{info, warn};

use crate::{
    certificates::{self, Certificates, InUse},
    config::{Config, ServeArguments, WatchedBucket},
    machine::{self, Hangups},
    ports::{HttpPorts, Ports},
    reach,
    secrets::Secrets,
};

/// How long running requests may take to finish once the server was asked to end.
const DRAIN: Duration = Duration::from_secs(10);

/// How often the log may say what the broker dropped and refused: a device that does not stop asking
/// must not fill it.
const LOSSES_EVERY: Duration = Duration::from_secs(60);

/// Runs the server until SIGTERM or Ctrl-C, then drains.
pub(crate) async fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let config = Config::load(arguments)?;
    let _lock = own_data_directory(&config.data)?;
    let mut server = Server::start(&config).await?;
    info!(http = ?server.ports.http, mqtts = ?server.ports.mqtts, "Ready");
    let ended = tokio::select! {
        () = machine::asked_to_end() => Ok(()),
        fault = server.part_ended() => Err(fault),
    };
    info!("Draining");
    server.drain().await;
    ended
}

/// Creates the directory, for its owner only, and makes sure no other server uses it.
pub(crate) fn own_data_directory(data: &Path) -> anyhow::Result<File> {
    let inside = || format!("data directory {}", data.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(inside)?;
    let lock = data.join("lock");
    let file = OpenOptions::new().create(true).append(true).open(lock).with_context(inside)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("{} is in use by another otaru; stop it or choose another --data", inside())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(inside),
    }
}

struct Server {
    ports: Ports,
    readiness: Readiness,
    serving: Vec<Serving>,
    broker: Broker,
    background: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    async fn start(config: &Config) -> anyhow::Result<Server> {
        let now = SystemTime::now();
        let authority =
            authority(config, now).context("could not open the certificate authority")?;
        for path in authority.mended() {
            warn!(path = %path.display(), "Others could read or change this; now they cannot");
        }
        let certificates = Certificates::open(config, &authority, now)?;
        let mqtts = mqtts_listener(config, &certificates)?;
        let trust = certificates.trust().clone();
        let (store, notices) =
            Store::open(&config.database_url).await.context("could not open the database")?;
        for guard in store.missing_audit_guards().await.context("could not read the database")? {
            warn!(guard, "The audit log is not guarded: its trigger is gone or switched off");
        }
        let blobs = Blobs::open(&config.blobs_url).context("could not open the image store")?;
        let namespace = config.namespace.clone();
        let clock = Clock::machine(machine::now_ms);
        let mail = config.mail.as_ref().map(Mailer::new).transpose()?;
        let (mailer, outbox) = mail.unzip();
        let secrets = Secrets::open(config)?;
        let sealing_key = secrets.key.clone();
        let shadows = config.shadows.clone();
        let downloads = config.downloads.clone();
        let patches = config.patches.clone();
        let shared_tokens = config.shared_tokens;
        let second_factor_roles = config.second_factor_roles.clone();
        let parts = AppConfig {
            store,
            blobs,
            authority,
            trust,
            clock,
            namespace,
            sealing_key,
            mailer,
            shadows,
            downloads,
            patches,
            shared_tokens,
            second_factor_roles,
            certificate_life: config.certificate_life,
            bucket_watch: config.bucket_watch.as_ref().map(WatchedBucket::open).transpose()?,
            providers: config.providers.clone(),
            outbound: Outbound::new(&config.outbound)?,
        };
        let app = App::new(parts).await?;
        secrets.settle(&app, config).await?;
        start_up(&app, &config.data).await?;

        let http = HttpPorts::bind(config, &certificates)?;
        let broker = start_broker(config, &app, mqtts).await?;
        let ports = http.with(broker.addresses());
        app.set_urls(reach::urls(config, &ports));
        for (provider, organisation) in providers_of_no_organisation(&app).await? {
            let name = format!("oidc.{provider}");
            warn!("{name}: there is no organisation `{organisation}`; nobody new comes in by it");
        }
        for doubt in reach::doubts(&ports, &app.urls(), &certificates) {
            warn!("{doubt}");
        }
        let mut background = vec![
            tokio::spawn(deliver_notices(app.clone(), broker.clone(), notices)),
            tokio::spawn(run_background(app.clone())),
            tokio::spawn(watch_bucket(app.clone())),
            tokio::spawn(log_losses(broker.clone(), LOSSES_EVERY)),
        ];
        let workers = if config.patches.enabled { config.patches.workers } else { 0 };
        background.extend((0..workers).map(|_| tokio::spawn(make_patches(app.clone()))));
        background.extend(outbox.map(|outbox| tokio::spawn(deliver_mail(outbox))));
        let readiness = Readiness::default();
        let plain_port = match config.behind_proxy {
            true => PlainPort::BehindProxy,
            false => PlainPort::Direct,
        };
        let people_router = otaru_http::router(app.clone(), readiness.clone(), plain_port);
        let people_router = certificates.offered().on(people_router);
        let device_router = otaru_http::device_router(app.clone(), readiness.clone(), plain_port);
        let http = http.serve(people_router, device_router);
        let in_use = InUse {
            people: http.https.as_ref().and_then(Serving::tls),
            devices: http.device_https.as_ref().and_then(Serving::tls),
            broker: broker.clone(),
            app: app.clone(),
        };
        let hangups = Hangups::heard(config.own_certificate.is_some());
        let fresh = certificates::keep_fresh(certificates, in_use, hangups, SystemTime::now);
        background.push(tokio::spawn(fresh));
        let serving = http.all().collect();
        print_setup_url(&app, config, &ports).await?;
        write_listen_json(&config.data, &ports)?;
        readiness.set(true);
        Ok(Server { ports, readiness, serving, broker, background })
    }

    /// Returns when a part has ended that must not end before the server: without it answers
    /// or deadlines would be missing unnoticed, so the server had better be started again.
    async fn part_ended(&mut self) -> anyhow::Error {
        let (ended, ..) = select_all(self.background.iter_mut()).await;
        match ended {
            Ok(()) => anyhow!("a part of the server has ended"),
            Err(error) => anyhow!(error).context("a part of the server has failed"),
        }
    }

    async fn drain(self) {
        self.readiness.set(false);
        let drained = join_all(self.serving.into_iter().map(|serving| serving.drain(DRAIN))).await;
        for error in drained.into_iter().filter_map(Result::err) {
            warn!(%error, "A port did not drain cleanly");
        }
        self.broker.shutdown().await;
        for task in self.background {
            task.abort();
        }
    }
}

fn authority(config: &Config, now: SystemTime) -> Result<Authority, AuthorityError> {
    let folder = config.data.join("ca");
    match &config.key_command {
        Some(command) => Authority::open_outside(&folder, command.clone(), now),
        None => Authority::open_or_create_sealed(&folder, config.passphrase.as_ref(), now),
    }
}

fn mqtts_listener(
    config: &Config,
    certificates: &Certificates,
) -> anyhow::Result<Option<MqttsListener>> {
    let Some(address) = config.mqtts else { return Ok(None) };
    let (tls, trust) = (certificates.mqtt_tls()?, certificates.trust().clone());
    Ok(Some(MqttsListener {
        address,
        tls,
        trust,
        knocks: machine::knock_limits(),
        limits: config.mqtt_limits,
    }))
}

async fn start_broker(
    config: &Config,
    app: &App,
    mqtts: Option<MqttsListener>,
) -> anyhow::Result<Broker> {
    let broker = BrokerConfig {
        mqtts,
        plain: config.mqtt,
        namespace: config.namespace.clone(),
        clock: Arc::new(machine::now_ms),
        retained_is_refused: config.shadows.rules.dialect.retained_is_refused,
    };
    let ingress = Arc::new(MqttIngress::new(app.clone()));
    Broker::start(broker, ingress).await.context("could not start the MQTT broker")
}

/// The work of a start; the first one leaves an administrator's token.
async fn start_up(app: &App, data: &Path) -> anyhow::Result<()> {
    let path = data.join("admin.token");
    let token = otaru_operations::start_up(app, !path.exists()).await?;
    if let Some(token) = token {
        write_private(&path, &token).with_context(|| format!("{}", path.display()))?;
        eprintln!("The administrator's token is in {}", path.display());
    }
    Ok(())
}

/// Prints the way in for the first administrator, at every start until they have come in.
async fn print_setup_url(app: &App, config: &Config, ports: &Ports) -> anyhow::Result<()> {
    let Some(code) = create_setup_code(app).await? else { return Ok(()) };
    // No certificate to be wondered at, where there is a plain port on this machine.
    let here = ports.http.filter(|port| port.ip().is_loopback());
    let here = here.map(|port| format!("http://{port}"));
    let public = app.urls().public_url;
    let is_said = config.public_url.is_some() || reach::is_for_others(&public);
    let public = (is_said || here.is_none()).then_some(public);
    let bases = here.into_iter().chain(public);
    for base in bases {
        eprintln!("Set this server up at {}/setup#{}", base.trim_end_matches('/'), code.as_str());
    }
    Ok(())
}

fn write_listen_json(data: &Path, ports: &Ports) -> anyhow::Result<()> {
    let body = json!({
        "http": ports.http,
        "https": ports.https,
        "device_https": ports.device_https,
        "mqtts": ports.mqtts,
        "mqtt": ports.mqtt,
    });
    let path = data.join("listen.json");
    write_private(&path, &format!("{body:#}\n")).with_context(|| format!("{}", path.display()))
}

/// Writes a file that only its owner can read; it is whole or not there.
pub(crate) fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    let partial: PathBuf = path.with_extension("partial");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
