//! A server with a product, and doors for devices and for backends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use otaru_real_fleet::{Api, Client as CommandLine, Server};
use serde_json::Value;
use tokio::process::Command;

use super::devices::{self, Device};

const PRODUCT: &str = "clock";

pub(crate) struct Site {
    server: Server,
    /// Where backends connect, without TLS.
    pub(crate) backends: SocketAddr,
}

impl Site {
    /// Chooses ports; starts nothing.
    pub(crate) fn new(binary: &Path, folder: &Path) -> Result<Site> {
        std::fs::create_dir_all(folder)?;
        let mut server = Server::new(binary, folder, None)?;
        let backends = server.admit_backends()?;
        lift_limits(&server)?;
        Ok(Site { server, backends })
    }

    pub(crate) async fn start(&mut self) -> Result<()> {
        self.server.start().await?;
        Ok(())
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.server.stop().await?;
        Ok(())
    }

    /// Makes the product and so many devices of it.
    pub(crate) async fn register(&self, binary: &Path, count: usize) -> Result<Vec<Device>> {
        let (url, token) = (self.server.url(), self.server.admin_token_file());
        let admin = CommandLine::new(binary, &url, &token);
        let keys = self.server.folder().with_extension("keys");
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a folder is not UTF-8");
        admin.done(&["key", "new", "--out", &text(&keys)?, "--no-passphrase"]).await?;
        let root = text(&keys.join("root.cbor"))?;
        let create = ["product", "create", PRODUCT, "--chip", "esp32c3", "--flash", "4M"];
        admin.done(&[&create[..], &["--root", &root]].concat()).await?;
        let api = Api::with_token(&url, std::fs::read_to_string(token)?.trim())?;
        devices::register(&api, PRODUCT, count).await
    }

    /// Takes over everything that another server, which does not run, has stored.
    pub(crate) async fn take_over(&self, other: &Site) -> Result<()> {
        let mut copy = Command::new("cp");
        // What is in the folder, not the folder: this one has its own already.
        copy.arg("-a").arg(other.server.folder().join(".")).arg(self.server.folder());
        let copied = copy.status().await?;
        anyhow::ensure!(copied.success(), "could not copy a server's data");
        Ok(())
    }

    /// Where devices connect, while it runs.
    pub(crate) fn mqtts(&self) -> Result<SocketAddr> {
        let bound = std::fs::read_to_string(self.server.folder().join("listen.json"))?;
        let bound: Value = serde_json::from_str(&bound)?;
        let address = bound["mqtts"].as_str().with_context(|| format!("no mqtts in {bound}"))?;
        Ok(address.parse()?)
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> Result<u32> {
        let program = self.server.program().context("the server does not run")?;
        program.id().context("the server has ended")
    }

    /// Its authority, with the certificate that devices meet.
    pub(crate) fn authority(&self) -> PathBuf {
        self.server.folder().join("ca")
    }

    /// Its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.server.folder().join("otaru.db")
    }
}

/// Before the first start: what one thing may ask in a second is otherwise limited, and a load
/// of few connections is about few things.
pub(crate) fn lift_limits(server: &Server) -> Result<()> {
    std::fs::create_dir_all(server.folder())?;
    std::fs::write(server.folder().join("otaru.toml"), "[shadows]\nthing_requests_per_s = 0\n")?;
    Ok(())
}
