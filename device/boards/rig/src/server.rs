//! `otaru serve` and the command line beside it, as a person uses them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use otaru_board_virt::identity::Identity;
use otaru_board_virt::{CHIP_NAME, partitions};
use otaru_release::PublicKey;
use p256::pkcs8::DecodePrivateKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tempfile::TempDir;

use crate::factory::Release;

/// This machine, as QEMU's guests see it.
const HOST: &str = "10.0.2.2";
/// Its product.
pub const PRODUCT: &str = "clock";
/// A root document names no more.
const RELEASE_KEYS_MAX: u64 = 8;
const START_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server with one product, `clock`, in a folder that goes with it.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    url: String,
    process: Child,
    folder: TempDir,
    /// Where devices find downloads and the broker.
    device_ports: [u16; 2],
}

impl Server {
    /// Starts it, and makes keys and the product. `settings` are variables of its environment.
    pub fn start(settings: &[(&str, &str)]) -> Result<Server> {
        let binary = binary()?;
        let folder = tempfile::tempdir()?;
        let ports = free_ports()?;
        let log = File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(&binary);
        command.arg("serve").arg("--data").arg(folder.path().join("server"));
        command.args(["--tls-name", HOST, "--tls-name", "localhost"]);
        let flags = ["--listen-http", "--listen-https", "--listen-device-https", "--listen-mqtts"];
        for (flag, port) in flags.iter().zip(ports) {
            command.args([flag, &format!("127.0.0.1:{port}")[..]]);
        }
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().context("could not run otaru serve")?;
        let url = format!("http://127.0.0.1:{}", ports[0]);
        let device_ports = [ports[2], ports[3]];
        let mut server = Server { binary, url, process, folder, device_ports };
        server.wait_until_ready(ports[0])?;
        let keys = server.path("keys");
        server.run(&["key", "new", "--out", &keys, "--no-passphrase"])?;
        let create = [
            "product", "create", PRODUCT, "--chip", CHIP_NAME, "--images", "raw", "--flash", "4M",
            "--root",
        ];
        server.run(&[&create[..], &[&format!("{keys}/root.cbor")]].concat())?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, port: u16) -> Result<()> {
        let begin = Instant::now();
        while !is_ready(port) {
            let log = || std::fs::read_to_string(self.folder.path().join("server.log"));
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended with {status}:\n{}", log()?);
            }
            ensure!(begin.elapsed() < START_LIMIT, "the server is not ready:\n{}", log()?);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Runs a command of the client; answers what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.binary)
            .args(["-o", "json", "--no-input"])
            .args(arguments)
            .env("OTARU_SERVER", &self.url)
            .env("OTARU_TOKEN_FILE", self.folder.path().join("server/admin.token"))
            .env_remove("OTARU_TOKEN")
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "otaru {}: {}", arguments.join(" "), said.trim());
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    /// Publishes an image, signed with the release key.
    pub fn publish(&self, version: &str, image: &[u8]) -> Result<()> {
        let file = self.path(&format!("clock-{version}.bin"));
        std::fs::write(&file, image)?;
        let key = self.path("keys/release.key");
        let what = ["release", "publish", &file, "--product", PRODUCT, "--version", version];
        self.run(&[&what[..], &["--raw", CHIP_NAME, "--key", &key]].concat())?;
        Ok(())
    }

    /// Signs so many root documents behind this one, each by the key of the one before, with as
    /// many release keys as there may be; answers the number of the newest.
    pub fn rotate_roots(&self, from: u64, count: u64) -> Result<u64> {
        let name = |number: u64| match number {
            1 => self.path("keys/root"),
            _ => self.path(&format!("keys/root-{number}")),
        };
        for number in from..from + count {
            let (root, key) = (name(number) + ".cbor", name(number) + ".key");
            let rotate = ["key", "rotate", "--root", &root, "--key", &key, "--product", PRODUCT];
            let out = self.path("keys");
            let what = ["--out", &out, "--new-root", "--no-passphrase"];
            let more = ["--release", "--keep-release"];
            let more = if number < RELEASE_KEYS_MAX { &more[..] } else { &[] };
            self.run(&[&rotate[..], &what, more].concat())?;
        }
        Ok(from + count)
    }

    /// The image of a release with the documents that come with it, as a factory downloads them.
    pub fn sign_for_factory(&self, version: &str, image: Vec<u8>) -> Result<Release> {
        let file = self.path(&format!("clock-{version}.bin"));
        let (signed, key) =
            (self.path(&format!("{version}.manifest")), self.path("keys/release.key"));
        std::fs::write(&file, &image)?;
        let what = ["release", "sign", &file, "--product", PRODUCT, "--version", version];
        let how = ["--raw", CHIP_NAME, "--sequence", "1", "--key", &key, "--out", &signed];
        self.run(&[&what[..], &how[..]].concat())?;
        let roots = vec![std::fs::read(self.path("keys/root.cbor"))?];
        Ok(Release { image, roots, manifest: std::fs::read(signed)? })
    }

    /// The key that devices are built with.
    pub fn root_key(&self) -> Result<PublicKey> {
        let text = std::fs::read_to_string(self.path("keys/root.pub"))?;
        PublicKey::from_file(&text).map_err(|error| anyhow::anyhow!("root.pub: {error}"))
    }

    /// Makes a device known to the server; answers what its flash says of it. It finds downloads
    /// and the broker at these ports.
    pub fn add_device(&self, thing: &str, ports: [u16; 2]) -> Result<Vec<u8>> {
        let folder = self.path(thing);
        self.run(&["device", "add", thing, "--product", PRODUCT, "--out", &folder])?;
        identity_of(Path::new(&folder), Some(ports))
    }

    /// Where devices find downloads and the broker.
    pub fn device_ports(&self) -> [u16; 2] {
        self.device_ports
    }

    /// Waits until what a command prints is as it should be; answers it.
    pub fn until(&self, arguments: &[&str], is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let begin = Instant::now();
        loop {
            let found = self.run(arguments)?;
            if is_it(&found) {
                return Ok(found);
            }
            ensure!(begin.elapsed() < START_LIMIT * 2, "{arguments:?} goes on saying {found}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a device is known to run a version for good.
    pub fn until_it_runs(&self, thing: &str, version: &str) -> Result<()> {
        let runs = |device: &Value| {
            device["running"]["version"] == version && device["running"]["state"] == "confirmed"
        };
        self.until(&["device", "show", thing], runs).map(|_| ())
    }

    /// Waits until a device is known to run a version, whether or not it came back to it.
    pub fn until_it_runs_whatever(&self, thing: &str, version: &str) -> Result<()> {
        let runs = |device: &Value| {
            device["running"]["version"] == version && device["running"]["state"] != "trial"
        };
        self.until(&["device", "show", thing], runs).map(|_| ())
    }

    /// Waits until there is a patch to a version.
    pub fn until_patch(&self, version: &str, base: &str) -> Result<()> {
        let is_there = |list: &Value| {
            let patches = list["items"].as_array().or(list.as_array());
            patches
                .into_iter()
                .flatten()
                .any(|patch| patch["base_version"] == base && patch["state"] == "ready")
        };
        let list = ["release", "patch", "list", version, "--product", PRODUCT];
        self.until(&list, is_there).map(|_| ())
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program under test: `OTARU_BINARY`, or what the other workspace built last.
pub fn binary() -> Result<PathBuf> {
    let found = std::env::var_os("OTARU_BINARY").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let ours = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target");
        target.unwrap_or_else(ours).join("debug/otaru")
    });
    ensure!(found.exists(), "there is no {}: run `make boards-test`", found.display());
    Ok(found)
}

/// Reads the folder that `device add` wrote. Downloads and the broker are at `ports`, or where it says.
pub fn identity_of(folder: &Path, ports: Option<[u16; 2]>) -> Result<Vec<u8>> {
    let settings: toml::Table = std::fs::read_to_string(folder.join("device.toml"))?.parse()?;
    let text = |name: &str| settings.get(name).and_then(toml::Value::as_str);
    // On the loopback of this machine, which is another one's for the guest.
    let place = |name: &str, port: Option<u16>| -> Result<(&str, u16)> {
        if let Some(port) = port {
            return Ok((HOST, port));
        }
        let url = text(name).with_context(|| format!("device.toml has no {name}"))?;
        let (_, port) = url.trim_end_matches('/').rsplit_once(':').context("no port")?;
        Ok((HOST, port.parse()?))
    };
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem"))?;
    let authority = CertificateDer::from_pem_file(folder.join("ca.pem"))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
    let key = p256::SecretKey::from_pkcs8_der(key.secret_der())
        .map_err(|_| anyhow::anyhow!("key.pem is no key on P-256"))?;
    let key: [u8; 32] = key.to_bytes().into();
    let made_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let identity = Identity {
        thing: text("thing").context("device.toml has no thing")?,
        namespace: text("namespace").unwrap_or("otaru"),
        product: text("product").context("device.toml has no product")?,
        https: place("device_url", ports.map(|ports| ports[0]))?,
        mqtt: place("mqtt_url", ports.map(|ports| ports[1]))?,
        made_at: made_at as i64,
        certificate: &certificate,
        key: &key,
        authority: &authority,
        wifi: None,
        root_key: None,
    };
    let mut bytes = vec![0xFF; partitions::IDENTITY.size as usize];
    let length = identity.write(&mut bytes).context("the identity has no room")?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Ports that are free, held together while choosing so that they differ.
fn free_ports() -> Result<[u16; 4]> {
    let held: Vec<TcpListener> = (0..4)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<_>>()?;
    let ports: Vec<u16> =
        held.iter().map(|held| Ok(held.local_addr()?.port())).collect::<std::io::Result<_>>()?;
    ports.try_into().ok().context("four ports were asked for")
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.ends_with(b" 200"))
}
