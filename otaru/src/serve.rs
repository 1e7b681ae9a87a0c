//! Puts the server together and runs it until it is asked to end.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use futures::future::{join_all, select_all};
use otaru_authority::Authority;
use otaru_blobs::Blobs;
use otaru_broker::{Addresses, Broker, BrokerConfig, MqttsListener};
use otaru_http::{HealthFor, Listener, Readiness, Security, Serving};
use otaru_operations::{
    App, AppConfig, Clock, Mailer, MqttIngress, Urls, create_setup_code, deliver_mail,
    deliver_notices, run_background,
};
use otaru_store::Store;
use serde_json::json;
use tracing::info;

use crate::{
    config::{Config, ServeArguments, url_host},
    machine,
};

/// How long running requests may take to finish once the server was asked to end.
const DRAIN: Duration = Duration::from_secs(10);

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
fn own_data_directory(data: &Path) -> anyhow::Result<File> {
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

/// What was bound.
#[derive(Clone, Copy, Debug)]
struct Ports {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    device_https: Option<SocketAddr>,
    mqtts: Option<SocketAddr>,
    mqtt: Option<SocketAddr>,
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
        let authority = Authority::open_or_create(&config.data.join("ca"), now)
            .context("could not open the certificate authority")?;
        let certificate = authority
            .issue_server(&config.tls_names, now)
            .context("could not issue the server's certificate")?;
        let people = authority.people_tls(&certificate)?;
        let devices = authority.device_tls(&certificate)?;
        let mqtts = mqtts_listener(config, &authority);
        let (store, notices) =
            Store::open(&config.database_url).await.context("could not open the database")?;
        let blobs = Blobs::open(&config.blobs_url).context("could not open the image store")?;
        let namespace = config.namespace.clone();
        let clock = Clock::machine(machine::now_ms);
        let mail = config.mail.as_ref().map(Mailer::new).transpose()?;
        let (mailer, outbox) = mail.unzip();
        let app = App::new(AppConfig { store, blobs, authority, clock, namespace, mailer }).await?;
        start_up(&app, &config.data).await?;

        let bind = |address: Option<SocketAddr>, security: Security| match address {
            None => Ok(None),
            Some(address) => Listener::bind(address, security)
                .map(Some)
                .with_context(|| format!("could not listen on {address}")),
        };
        let http = bind(config.http, Security::Plain)?;
        let https = bind(config.https, Security::People(people))?;
        let device_https = bind(config.device_https, Security::Devices(devices))?;
        let broker = start_broker(config, &app, mqtts).await?;
        let Addresses { mqtts, plain } = broker.addresses();
        let ports = Ports {
            http: http.as_ref().map(Listener::address),
            https: https.as_ref().map(Listener::address),
            device_https: device_https.as_ref().map(Listener::address),
            mqtts,
            mqtt: plain,
        };
        app.set_urls(urls(config, &ports));
        let mut background = vec![
            tokio::spawn(deliver_notices(app.clone(), broker.clone(), notices)),
            tokio::spawn(run_background(app.clone())),
        ];
        background.extend(outbox.map(|outbox| tokio::spawn(deliver_mail(outbox))));
        let readiness = Readiness::default();
        let health = match config.behind_proxy {
            true => HealthFor::Nobody,
            false => HealthFor::ThisMachine,
        };
        let people_router = otaru_http::router(app.clone(), readiness.clone(), health);
        let device_router = otaru_http::device_router(app.clone(), readiness.clone(), health);
        let mut serving = Vec::new();
        serving.extend(http.map(|port| port.serve(people_router.clone())));
        serving.extend(https.map(|port| port.serve(people_router)));
        serving.extend(device_https.map(|port| port.serve(device_router)));
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
            tracing::warn!(%error, "A port did not drain cleanly");
        }
        self.broker.shutdown().await;
        for task in self.background {
            task.abort();
        }
    }
}

fn mqtts_listener(config: &Config, authority: &Authority) -> Option<MqttsListener> {
    config.mqtts.map(|address| MqttsListener {
        address,
        certificate: authority.server_certificate_path(),
        key: authority.server_key_path(),
        client_ca: authority.ca_path(),
    })
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
    let mut bases: Vec<String> = here.into_iter().chain(config.public_url.clone()).collect();
    if bases.is_empty() {
        bases.push(app.urls().public_url);
    }
    for base in bases {
        eprintln!("Set this server up at {}/setup#{}", base.trim_end_matches('/'), code.as_str());
    }
    Ok(())
}

fn urls(config: &Config, ports: &Ports) -> Urls {
    let url = |scheme: &str, port: Option<SocketAddr>| {
        port.map(|port| format!("{scheme}://{}", url_host(port, &config.tls_names)))
    };
    let public = config.public_url.clone().or_else(|| url("https", ports.https));
    let device = config.device_url.clone().or_else(|| url("https", ports.device_https));
    // The broker stands beside the downloads, on its own port.
    let mqtt = ports.mqtts.map(|port| match host_of(config.device_url.as_deref()) {
        Some(host) => format!("mqtts://{host}:{}", port.port()),
        None => format!("mqtts://{}", url_host(port, &config.tls_names)),
    });
    Urls {
        public_url: public.or_else(|| url("http", ports.http)).unwrap_or_default(),
        device_url: device.unwrap_or_default(),
        mqtt_url: mqtt.unwrap_or_default(),
    }
}

fn host_of(url: Option<&str>) -> Option<&str> {
    let authority = url?.split_once("://")?.1.split('/').next()?;
    match authority.strip_prefix('[') {
        // An IPv6 address keeps its brackets.
        Some(rest) => Some(&authority[..rest.find(']')? + 2]),
        None => Some(authority.split(':').next().unwrap_or(authority)),
    }
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
fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    let partial: PathBuf = path.with_extension("partial");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn the_broker_is_on_the_host_of_the_device_url() {
        assert_eq!(host_of(Some("https://ota.example:8444/x")), Some("ota.example"));
        assert_eq!(host_of(Some("https://[::1]:8444")), Some("[::1]"));
        assert_eq!(host_of(None), None);
    }
}
