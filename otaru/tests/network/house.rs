//! A server on one machine, a phone and a device on another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use otaru_real_fleet::{Behaviour, Client, Device, DeviceOptions, Network, Program, firmware};
use tempfile::TempDir;
use tokio::process::Command;

use crate::LIMIT;
use crate::phone::Phone;

/// Five seconds of download at the speed below.
const IMAGE_BYTES: usize = 600_000;
const LINK_KBPS: u32 = 1_000;

const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct House {
    pub(crate) phone: Phone,
    pub(crate) admin: Client,
    device: Option<Device>,
    device_binary: PathBuf,
    _server: Program,
    pub(crate) network: Network,
    folder: TempDir,
}

impl House {
    /// Network and server, as the README says it for a LAN.
    pub(crate) async fn build() -> Result<House> {
        let folder = TempDir::with_prefix("otaru-network-")?;
        let network = Network::start(folder.path()).await?;
        let binary = Path::new(env!("CARGO_BIN_EXE_otaru"));
        let server_binary = network.server.wrapper(binary)?;
        let device_binary = network.home.wrapper(binary)?;
        let data = folder.path().join("server");
        let mut command = Command::new(&server_binary);
        command.arg("serve").arg("--data").arg(&data).args([
            "--listen-http=127.0.0.1:8080",
            "--listen-https=0.0.0.0:8443",
            "--listen-device-https=0.0.0.0:8444",
            "--listen-mqtts=0.0.0.0:8883",
            "--tls-name=ota.lan",
            "--tls-name=10.77.0.1",
            "--public-url=https://ota.lan:8443",
            "--device-url=https://ota.lan:8444",
        ]);
        let server = Program::start(&mut command, &folder.path().join("server.log"))?;
        let admin = Client::new(&server_binary, "http://127.0.0.1:8080", &data.join("admin.token"));
        let phone = Phone::new(folder.path().join("phone"), &network.home)?;
        let house =
            House { phone, admin, device: None, device_binary, _server: server, network, folder };
        house
            .until("the server is ready", async |house| {
                let asked = ["--silent", "--fail", "http://127.0.0.1:8080/readyz"];
                let asked = house.network.server.output("curl", &asked).await?;
                Ok(asked.status.success())
            })
            .await?;
        Ok(house)
    }

    /// Keys, a product, its factory release and a device.
    pub(crate) async fn fill(&self) -> Result<()> {
        let keys = self.path("keys");
        self.admin.done(&["key", "new", "--out", &keys, "--no-passphrase"]).await?;
        let root = self.path("keys/root.cbor");
        let product = ["product", "create", "clock", "--chip", "esp32c3", "--flash", "4M"];
        self.admin.done(&[&product[..], &["--root", &root]].concat()).await?;
        self.publish("1.0.4").await?;
        let folder = self.path("clock-01");
        self.admin
            .done(&["device", "add", "clock-01", "--product", "clock", "--out", &folder])
            .await?;
        Ok(())
    }

    pub(crate) async fn publish(&self, version: &str) -> Result<()> {
        let (image, key) = (self.path(&format!("{version}.bin")), self.path("keys/release.key"));
        std::fs::write(&image, firmware(version, IMAGE_BYTES, Behaviour::Pass))?;
        let what = ["release", "publish", &image, "--product", "clock"];
        self.admin.done(&[&what[..], &["--version", version, "--key", &key]].concat()).await?;
        Ok(())
    }

    pub(crate) fn start_device(&mut self) -> Result<()> {
        let options = DeviceOptions {
            factory_image: self.path("1.0.4.bin").into(),
            self_test: Duration::from_millis(100),
            link_kbps: Some(LINK_KBPS),
        };
        let folder = self.folder().join("clock-01");
        let mut device = Device::new(&self.device_binary, "clock-01", &folder, options);
        device.start()?;
        self.device = Some(device);
        Ok(())
    }

    /// Looks again until it is so.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut is_so: impl AsyncFnMut(&House) -> Result<bool>,
    ) -> Result<()> {
        let looking = async {
            while !is_so(self).await? {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        match tokio::time::timeout(LIMIT, looking).await {
            Ok(looked) => looked,
            Err(_) => bail!("not within {LIMIT:?}: {what}"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn server_log(&self) -> String {
        std::fs::read_to_string(self.folder().join("server.log")).unwrap_or_default()
    }

    /// The code of the printed link, which has the name that people use.
    pub(crate) fn setup_code(&self) -> Result<String> {
        let (log, link) = (self.server_log(), "Set this server up at https://ota.lan:8443/setup#");
        let code = log.lines().find_map(|line| line.strip_prefix(link));
        Ok(code.context("no link was printed")?.to_owned())
    }

    /// SHA-256 of the offered authority, as the log has it, in plain lower case.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        let log = self.server_log();
        let (_, after) = log.split_once("sha256=\"").context("no fingerprint was printed")?;
        Ok(after.split('"').next().unwrap_or_default().replace(':', "").to_lowercase())
    }

    fn path(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }
}
