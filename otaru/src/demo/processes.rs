//! The demo's child processes: one server, any number of devices. They end with it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

/// A child with its output in a file.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts this program with other arguments.
    pub(crate) fn start(name: &str, folder: &Path, arguments: &[&str]) -> anyhow::Result<Process> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env("OTARU_LOG", "warn,otaru=info")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Process { child, log })
    }

    /// Fails with the end of its log if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended ({status}):\n{}", self.log.display(), self.last_words())
            }
        }
    }

    /// The last lines it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// The running server.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// Of the plain port.
    pub(crate) http_url: String,
    /// The administrator's token.
    pub(crate) admin_token: PathBuf,
}

impl Server {
    /// Starts a server on free ports and waits until it is ready.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Server> {
        let data = folder.join("server");
        let data_text = data.display().to_string();
        let ports = ["--listen-http", "--listen-https", "--listen-device-https", "--listen-mqtts"]
            .into_iter()
            .flat_map(|flag| [flag, "127.0.0.1:0"]);
        let arguments: Vec<&str> =
            ["serve", "--data", &data_text].into_iter().chain(ports).collect();
        // Ports of an earlier run must not be mistaken for this one's.
        let _ = std::fs::remove_file(data.join("listen.json"));
        let mut process = Process::start("server", folder, &arguments)?;
        let http_url = loop {
            process.check()?;
            if let Some(url) = ready_url(&data).await {
                break url;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Ok(Server { process, http_url, admin_token: data.join("admin.token") })
    }
}

/// The plain port's URL, once `/readyz` answers 200 there.
async fn ready_url(data: &Path) -> Option<String> {
    let listen = std::fs::read_to_string(data.join("listen.json")).ok()?;
    let listen: Value = serde_json::from_str(&listen).ok()?;
    let url = format!("http://{}", listen["http"].as_str()?);
    let client = otaru_client::Client::new(&otaru_client::ClientOptions {
        server: url.clone(),
        token: None,
        ca_pem: None,
    });
    client.ok()?.is_ready().await.then_some(url)
}
