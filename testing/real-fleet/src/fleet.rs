//! A product, its releases, its owner and its devices, set up as a person would.

use crate::{Api, Behaviour, Client, CommandOutput, Device, DeviceOptions, Server};
use anyhow::{Context, Result, bail, ensure};
use otaru_release::{Chip, ImageBuilder};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The one product of these fleets.
const PRODUCT: &str = "clock";

/// The one owner.
const OWNER: &str = "ada@example.com";

/// Between two looks while waiting for a device.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server with a product `clock`, devices of one owner, and a folder for all of it.
#[derive(Debug)]
pub struct Fleet {
    /// The server.
    pub server: Server,
    /// The devices, `clock-01` first.
    pub devices: Vec<Device>,
    /// What people use.
    pub console: Console,
    /// Last, so that it is removed when no process writes there any more.
    folder: TempDir,
}

/// What people use: it works on while processes die.
#[derive(Clone, Debug)]
pub struct Console {
    folder: PathBuf,
    /// The admin at the command line.
    pub admin: Client,
    /// The admin over HTTP.
    pub admin_api: Api,
    /// The owner's app.
    pub owner: Api,
}

/// What to set up.
#[derive(Debug)]
pub struct FleetOptions<'a> {
    /// The program under test.
    pub binary: &'a Path,
    /// Where records are kept; none means SQLite in the folder.
    pub database_url: Option<&'a str>,
    /// The firmware devices come with, and its version.
    pub factory: (&'a str, &'a [u8]),
    /// How many devices.
    pub devices: usize,
    /// How each behaves; the factory image is filled in.
    pub self_test: Duration,
    /// Speed of each device's link in kilobits a second.
    pub link_kbps: Option<u32>,
}

impl Fleet {
    /// Starts the server and makes keys, product, factory release, owner and devices. No device is on yet.
    pub async fn start(options: &FleetOptions<'_>) -> Result<Fleet> {
        // Both sides of the project bring a provider of cryptography, and rustls must be told which.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = TempDir::with_prefix("otaru-fleet-").context("could not make a folder")?;
        let mut server = Server::new(options.binary, folder.path(), options.database_url)?;
        server.start().await?;
        let admin = Client::new(options.binary, &server.url(), &server.admin_token_file());

        let keys = folder.path().join("keys");
        admin.done(&["key", "new", "--out", text(&keys)?, "--no-passphrase"]).await?;
        let root = keys.join("root.cbor");
        let create = ["product", "create", PRODUCT, "--chip", "esp32c3", "--flash", "4M", "--root"];
        admin.done(&[&create[..], &[text(&root)?]].concat()).await?;
        admin.done(&["user", "add", OWNER, "--role", "owner"]).await?;
        let token = admin.done(&["token", "create", "--user", OWNER]).await?;
        let token = token["token"].as_str().context("token create answered no token")?;
        let owner = Api::with_token(&server.url(), token)?;
        let admin_token = std::fs::read_to_string(server.admin_token_file())
            .context("the first start wrote no admin token")?;
        let admin_api = Api::with_token(&server.url(), admin_token.trim())?;

        let console = Console { folder: folder.path().to_owned(), admin, admin_api, owner };
        let mut fleet = Fleet { server, devices: Vec::new(), console, folder };
        let (version, image) = options.factory;
        let factory_image = fleet.console.publish(version, image).await?;
        for number in 1..=options.devices {
            let device_options = DeviceOptions {
                factory_image: factory_image.clone(),
                self_test: options.self_test,
                link_kbps: options.link_kbps,
            };
            fleet.add_device(options.binary, &format!("clock-{number:02}"), device_options).await?;
        }
        Ok(fleet)
    }

    /// Where everything of this fleet is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the server knows what every device runs.
    pub async fn wait_until_reported(&self, limit: Duration) -> Result<()> {
        let reported = async {
            for device in &self.devices {
                let path = format!("/api/v1/devices/{}", device.thing());
                loop {
                    let answer = self.console.admin_api.get(&path).await?;
                    ensure!(answer.is_acknowledged(), "could not show a device: {answer:?}");
                    if !answer.body["running"].is_null() {
                        break;
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Ok(())
        };
        tokio::time::timeout(limit, reported)
            .await
            .with_context(|| format!("a device did not report within {limit:?}"))?
    }

    /// Ends all processes and leaves the folder for whoever looks into a failure.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    async fn add_device(
        &mut self,
        binary: &Path,
        thing: &str,
        options: DeviceOptions,
    ) -> Result<()> {
        let folder = self.folder.path().join(thing);
        self.console
            .admin
            .done(&["device", "add", thing, "--product", PRODUCT, "--out", text(&folder)?])
            .await?;
        let claim = self.console.admin.done(&["device", "claim-code", thing]).await?;
        let code = &claim["code"];
        let answer = self
            .console
            .owner
            .post("/app/devices/claim", &serde_json::json!({ "code": code }))
            .await?;
        if !answer.is_acknowledged() {
            bail!("could not claim {thing}: {answer:?}");
        }
        self.devices.push(Device::new(binary, thing, &folder, options));
        Ok(())
    }
}

impl Console {
    /// Signs and publishes a release; answers the image's file.
    pub async fn publish(&self, version: &str, image: &[u8]) -> Result<PathBuf> {
        let file = self.image_file(version, image)?;
        let output = self.try_publish(version, &file).await?;
        if output.code != 0 {
            bail!("could not publish {version}: {}", output.stderr.trim());
        }
        Ok(file)
    }

    /// Runs `release publish` once, however it ends.
    pub async fn try_publish(&self, version: &str, file: &Path) -> Result<CommandOutput> {
        let key = self.folder.join("keys/release.key");
        let what = ["release", "publish", text(file)?, "--product", PRODUCT];
        let how = ["--version", version, "--key", text(&key)?];
        self.admin.run(&[&what[..], &how[..]].concat()).await
    }

    /// Writes an image where `release publish` can read it.
    pub fn image_file(&self, version: &str, image: &[u8]) -> Result<PathBuf> {
        let file = self.folder.join(format!("clock-{version}.bin"));
        std::fs::write(&file, image)
            .with_context(|| format!("could not write {}", file.display()))?;
        Ok(file)
    }
}

/// An image the simulated chip accepts. The same arguments give the same bytes, and two versions
/// share none of their code, so that a splice of both is neither.
pub fn firmware(version: &str, size_bytes: usize, behaviour: Behaviour) -> Vec<u8> {
    ImageBuilder::new(Chip::Esp32C3)
        .project(PRODUCT)
        .version(version)
        .seed(
            version
                .bytes()
                .fold(0, |seed: u64, byte| seed.wrapping_mul(257).wrapping_add(byte.into())),
        )
        .size_bytes(size_bytes)
        .behaviour(behaviour)
        .build()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
