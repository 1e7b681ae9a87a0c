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
        Process::start_program(&std::env::current_exe()?, name, folder, arguments)
    }

    /// Starts a program.
    pub(crate) fn start_program(
        program: &Path,
        name: &str,
        folder: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<Process> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(program)
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

    /// Ends it and waits until it is gone: a folder it writes to could not be removed.
    pub(crate) async fn end(mut self) {
        // Nothing that was acknowledged may be lost by that, so nobody has to be asked.
        let _has_ended_already = self.child.kill().await;
    }

    /// Everything it wrote.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = self.said();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// The running server.
pub(crate) struct Server {
    pub(crate) process: Process,
    data: PathBuf,
    /// Of the plain port; empty until it is ready.
    pub(crate) http_url: String,
    /// The administrator's token.
    pub(crate) admin_token: PathBuf,
}

impl Server {
    /// Starts a server with its plain port at `http`, its others wherever it is free. Its
    /// certificates are for these names, too.
    pub(crate) fn launch(folder: &Path, http: &str, names: &[&str]) -> anyhow::Result<Server> {
        let data = folder.join("server");
        let data_text = data.display().to_string();
        let ports = ["--listen-https", "--listen-device-https", "--listen-mqtts"]
            .into_iter()
            .flat_map(|flag| [flag, ANY_PORT]);
        let arguments: Vec<&str> = ["serve", "--data", &data_text, "--listen-http", http]
            .into_iter()
            .chain(ports)
            .chain(names.iter().flat_map(|name| ["--tls-name", *name]))
            .collect();
        // Ports of an earlier run must not be mistaken for this one's.
        let _ = std::fs::remove_file(data.join("listen.json"));
        let process = Process::start("server", folder, &arguments)?;
        let admin_token = data.join("admin.token");
        Ok(Server { process, data, http_url: String::new(), admin_token })
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        loop {
            self.process.check()?;
            if let Some(url) = ready_url(&self.data).await {
                self.http_url = url;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes the ports of this run into what a device was provisioned with.
    pub(crate) fn tell_device(&self, folder: &Path) -> anyhow::Result<()> {
        let listen = listen_json(&self.data).context("the server says no ports")?;
        let path = folder.join("device.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = with_ports(&text, &listen).context("the server says no ports")?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

/// Where no other program of this machine listens.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// The address if it is free, else any other.
pub(crate) fn free_or_any(address: &'static str) -> &'static str {
    match std::net::TcpListener::bind(address) {
        Ok(_let_go) => address,
        Err(_) => ANY_PORT,
    }
}

fn listen_json(data: &Path) -> Option<Value> {
    let listen = std::fs::read_to_string(data.join("listen.json")).ok()?;
    serde_json::from_str(&listen).ok()
}

fn with_ports(device_toml: &str, listen: &Value) -> Option<String> {
    let port = |name: &str| Some(listen[name].as_str()?.rsplit_once(':')?.1.to_owned());
    let (https, mqtts) = (port("device_https")?, port("mqtts")?);
    let lines = device_toml.lines().map(|line| {
        let port = match line.split(' ').next() {
            Some("device_url") => &https,
            Some("mqtt_url") => &mqtts,
            _ => return Some(format!("{line}\n")),
        };
        Some(format!("{}:{port}\"\n", line.rsplit_once(':')?.0))
    });
    lines.collect()
}

/// The plain port's URL, once `/readyz` answers 200 there.
async fn ready_url(data: &Path) -> Option<String> {
    let url = format!("http://{}", listen_json(data)?["http"].as_str()?);
    let client = otaru_client::Client::new(&otaru_client::ClientOptions {
        server: url.clone(),
        token: None,
        ca_pem: None,
    });
    client.ok()?.is_ready().await.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_the_ports_of_this_run() {
        let listen = serde_json::json!({ "device_https": "127.0.0.1:1", "mqtts": "127.0.0.1:2" });
        let text = "thing = \"clock-01\"\ndevice_url = \"https://localhost:8444\"\n\
             mqtt_url = \"mqtts://localhost:8883\"\nnamespace = \"mia\"\n";
        assert_eq!(
            with_ports(text, &listen).unwrap(),
            "thing = \"clock-01\"\ndevice_url = \"https://localhost:1\"\n\
             mqtt_url = \"mqtts://localhost:2\"\nnamespace = \"mia\"\n"
        );
        assert_eq!(with_ports(text, &serde_json::json!({ "mqtts": null })), None);
    }
}
