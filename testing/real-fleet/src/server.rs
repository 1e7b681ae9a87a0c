//! `otaru serve`, on ports that stay the same over restarts.

use crate::program::Program;
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

/// A debug build on a busy machine, opening a database with work to recover.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Short against the time a start takes, so that measuring it is exact to this.
const POLL_EVERY: Duration = Duration::from_millis(2);

/// A server that can be killed and started again on the same data.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    database_url: Option<String>,
    ports: Ports,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    program: Option<Program>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    http: u16,
    https: u16,
    device_https: u16,
    mqtts: u16,
}

/// Limits of the broker that are off: all devices of a test are behind one address, and more in a
/// hurry than any that is sold.
const UNHURRIED: [&str; 4] = [
    "OTARU__MQTT__DEVICE_REQUESTS_PER_S",
    "OTARU__MQTT__DEVICE_BYTES_PER_S",
    "OTARU__MQTT__DEVICE_CONNECTS_PER_MIN",
    "OTARU__MQTT__SITE_CONNECTS_PER_S",
];

impl Server {
    /// Chooses folders and free ports; starts nothing. No database URL means SQLite in the folder.
    pub fn new(binary: &Path, folder: &Path, database_url: Option<&str>) -> Result<Server> {
        Ok(Server {
            binary: binary.to_owned(),
            data: folder.join("server"),
            log: folder.join("server.log"),
            database_url: database_url.map(str::to_owned),
            ports: Ports::free()?,
            arguments: Vec::new(),
            environment: UNHURRIED.map(|name| (name.to_owned(), "0".to_owned())).into(),
            program: None,
        })
    }

    /// Lets backends of this machine in over plain MQTT, from the next start on; answers where.
    pub fn admit_backends(&mut self) -> Result<SocketAddr> {
        let free =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a free port")?;
        let address = free.local_addr()?;
        self.arguments.extend(["--listen-mqtt".to_owned(), address.to_string()]);
        Ok(address)
    }

    /// Adds arguments of `otaru serve`.
    pub fn with_arguments(mut self, arguments: &[&str]) -> Server {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds variables to its environment.
    pub fn with_environment(mut self, variables: Vec<(String, String)>) -> Server {
        self.environment.extend(variables);
        self
    }

    /// Starts the server and waits until it says that it is ready. Answers how long that took.
    pub async fn start(&mut self) -> Result<Duration> {
        self.start_with(&[]).await
    }

    /// As [`Server::start`], with more flags of `serve`.
    pub async fn start_with(&mut self, flags: &[&str]) -> Result<Duration> {
        let begin = Instant::now();
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&self.data).envs(self.environment());
        command.args(flags);
        let listeners = [
            ("--listen-http", self.ports.http),
            ("--listen-https", self.ports.https),
            ("--listen-device-https", self.ports.device_https),
            ("--listen-mqtts", self.ports.mqtts),
        ];
        for (flag, port) in listeners {
            command.arg(flag).arg(format!("127.0.0.1:{port}"));
        }
        command.args(&self.arguments);
        self.program = Some(Program::start(&mut command, &self.log)?);
        while !is_ready(self.ports.http).await {
            let program = self.program.as_mut().context("the server was not started")?;
            if let Some(status) = program.ended()? {
                bail!("the server ended with {status}:\n{}", self.last_output());
            }
            if begin.elapsed() > START_LIMIT {
                bail!("the server was not ready after {START_LIMIT:?}:\n{}", self.last_output());
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(begin.elapsed())
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> Result<()> {
        match self.program.take() {
            Some(mut program) => program.kill().await,
            None => Ok(()),
        }
    }

    /// SIGTERM; answers how it ended.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let mut program = self.program.take().context("the server does not run")?;
        program.stop(Duration::from_secs(30)).await
    }

    /// SIGHUP.
    pub async fn hang_up(&self) -> Result<()> {
        self.program.as_ref().context("the server does not run")?.signal("HUP").await
    }

    /// The process, while it runs.
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// Where people and programs reach it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// Where people reach it over TLS, by the name in its certificate.
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.ports.https)
    }

    /// Where devices download.
    pub fn device_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.device_https)
    }

    /// Where devices connect over MQTT.
    pub fn mqtts(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.mqtts))
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        &self.data
    }

    /// The token the first start wrote.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join("admin.token")
    }

    /// The end of what it printed, for a message about a failure.
    pub fn last_output(&self) -> String {
        let output = std::fs::read(&self.log).unwrap_or_default();
        let tail = &output[output.len().saturating_sub(4000)..];
        String::from_utf8_lossy(tail).into_owned()
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        let database = self.database_url.iter().map(|url| ("OTARU__DATABASE__URL", url.as_str()));
        let own = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        database.chain(own).collect()
    }
}

impl Ports {
    /// Four free ports, held together while choosing so that they differ.
    fn free() -> Result<Ports> {
        let held: Vec<TcpListener> = (0..4)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<std::io::Result<_>>()
            .context("could not find a free port")?;
        let port = |nth: usize| held[nth].local_addr().map(|address| address.port());
        Ok(Ports { http: port(0)?, https: port(1)?, device_https: port(2)?, mqtts: port(3)? })
    }
}

/// One `GET /readyz`, by hand: a client with a pool would remember dead connections.
async fn is_ready(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = [0_u8; 12];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await.is_ok_and(|answer| answer.ends_with(b" 200"))
}
