//! A server that lets backends in, and certificates for devices.

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Api, Client, Mqtt, MqttOptions, Server, device_tls};
use rustls::ClientConfig;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// The server and who asks it.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) api: Api,
    backends: SocketAddr,
    /// Last, so that it is removed when nobody writes there any more.
    _folder: TempDir,
}

/// Who connects.
#[derive(Clone)]
pub(crate) enum Credentials {
    Backend,
    Device(Arc<ClientConfig>),
}

impl House {
    /// Starts a server with a product `clock`.
    pub(crate) async fn start(database_url: Option<&str>) -> Result<House> {
        // Both sides of the project bring a provider of cryptography, and rustls must be told which.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let binary = Path::new(env!("CARGO_BIN_EXE_otaru"));
        let folder = TempDir::with_prefix("otaru-shadows-")?;
        let mut server = Server::new(binary, folder.path(), database_url)?;
        let backends = server.admit_backends()?;
        server.start().await?;
        let admin = Client::new(binary, &server.url(), &server.admin_token_file());
        let keys = folder.path().join("keys");
        let keys = keys.to_str().context("a path that is text")?;
        admin.done(&["key", "new", "--out", keys, "--no-passphrase"]).await?;
        let root = format!("{keys}/root.cbor");
        let product = ["product", "create", "clock", "--chip", "esp32c3", "--flash", "4M"];
        admin.done(&[&product[..], &["--root", &root]].concat()).await?;
        let token = std::fs::read_to_string(server.admin_token_file())?;
        let api = Api::with_token(&server.url(), token.trim())?;
        Ok(House { server, api, backends, _folder: folder })
    }

    /// Registers a device and gives its certificate.
    pub(crate) async fn add_device(&self, thing: &str) -> Result<Credentials> {
        let device = json!({ "thing": thing, "product": "clock" });
        let made = self.api.post("/api/v1/devices", &device).await?;
        let text = |name: &str| made.body[name].as_str().with_context(|| format!("{made:?}"));
        let tls = device_tls(text("cert_pem")?, text("key_pem")?, text("ca_pem")?)?;
        Ok(Credentials::Device(tls))
    }

    /// How to connect, for tasks that do so again and again.
    pub(crate) fn door(&self) -> Door {
        Door { backends: self.backends, devices: self.server.mqtts() }
    }

    /// The stored shadow of a thing, as `get/accepted` has it; version 0 where there is none.
    pub(crate) async fn shadow(&self, thing: &str) -> Result<serde_json::Value> {
        let answer = self.api.get(&format!("/things/{thing}/shadow")).await?;
        if answer.status == 404 {
            return Ok(serde_json::json!({ "version": 0 }));
        }
        ensure!(answer.is_acknowledged(), "shadow of {thing}: {answer:?}");
        Ok(answer.body)
    }
}

/// The two ports.
#[derive(Clone, Copy)]
pub(crate) struct Door {
    backends: SocketAddr,
    devices: SocketAddr,
}

impl Door {
    /// Connects once.
    pub(crate) async fn connect(
        self,
        credentials: &Credentials,
        options: &MqttOptions,
    ) -> Result<Mqtt> {
        match credentials {
            Credentials::Backend => Mqtt::backend(self.backends, options).await,
            Credentials::Device(tls) => Mqtt::device(self.devices, tls.clone(), options).await,
        }
    }
}
