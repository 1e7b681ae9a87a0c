//! Keys that are made, replaced and revoked at a desk, and a device that follows them.

use std::path::Path;
use std::time::{Duration, Instant};

use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, firmware};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// A fleet of one clock that runs 1.0.4, and the folder with its keys.
struct Desk {
    fleet: Fleet,
    keys: String,
    /// The newest root document.
    root: String,
}

impl Desk {
    async fn start() -> Desk {
        let options = FleetOptions {
            binary: Path::new(env!("CARGO_BIN_EXE_otaru")),
            database_url: None,
            factory: ("1.0.4", &image("1.0.4")),
            devices: 1,
            self_test: Duration::from_millis(20),
            link_kbps: None,
        };
        let mut fleet = Fleet::start(&options).await.unwrap();
        fleet.devices[0].start().unwrap();
        fleet.wait_until_reported(LIMIT).await.unwrap();
        let keys = fleet.folder().join("keys").display().to_string();
        let root = format!("{keys}/root.cbor");
        Desk { fleet, keys, root }
    }

    async fn done(&self, arguments: &[&str]) -> Value {
        self.fleet.console.admin.done(arguments).await.unwrap()
    }

    /// Signs and sends the next root document.
    async fn change(&mut self, how: &[&str]) -> Value {
        let root_key = format!("{}/root.key", self.keys);
        let known = ["--root", &self.root, "--key", &root_key, "--out", &self.keys];
        let arguments =
            [&["key"][..], how, &known, &["--no-passphrase", "--product", "clock"]].concat();
        let changed = self.done(&arguments).await;
        self.root = changed["file"].as_str().unwrap().to_owned();
        changed
    }

    /// Publishes a release with a release key, and has it installed; how that ended.
    async fn update(&self, version: &str, key: &str, downgrade: bool) -> String {
        let file = self.fleet.console.image_file(version, &image(version)).unwrap();
        let key = format!("{}/{key}", self.keys);
        let what = ["release", "publish", file.to_str().unwrap(), "--product", "clock"];
        let how = ["--version", version, "--key", &key];
        let flag: &[&str] = if downgrade { &["--downgrade"] } else { &[] };
        self.done(&[&what[..], &how, flag].concat()).await;
        self.install(version).await
    }

    async fn install(&self, version: &str) -> String {
        let start = ["update", "start", "clock-01", version, "--watch", "--timeout", "60s"];
        self.fleet.console.admin.run(&start).await.unwrap();
        let ended = self.done(&["update", "show", "clock-01"]).await;
        let reason =
            ended["reason"]["name"].as_str().map_or(String::new(), |name| format!(" {name}"));
        format!("{}{reason}", ended["outcome"].as_str().unwrap_or("open"))
    }

    /// What the device says of root and timestamp, once it is so.
    async fn until_trust(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let shadow = self.done(&["shadow", "get", "clock-01"]).await;
            let trust = shadow["state"]["reported"]["firmware"]["trust"].clone();
            if is_so(&trust) {
                return trust;
            }
            assert!(begin.elapsed() < LIMIT, "never: {shadow}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn image(version: &str) -> Vec<u8> {
    firmware(version, 100_000, Behaviour::Pass)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_without_touching_the_device_on_sqlite() {
    let mut desk = Desk::start().await;
    assert_eq!(desk.update("1.0.5", "release.key", false).await, "confirmed");

    // A server key: from now on the device wants timestamps and orders, and gets them.
    let named = desk.change(&["rotate", "--server-key"]).await;
    let server_key = desk.done(&["key", "show", "--server-key"]).await;
    assert_eq!(named["server_key_id"], server_key["key_id"]);
    assert_eq!(desk.update("1.0.6", "release.key", false).await, "confirmed");
    let trust = desk.until_trust(|trust| trust["root"] == 2).await;
    assert!(trust["timestamp"].is_i64() && trust.get("reason").is_none(), "{trust}");

    // Another release key, of the other algorithm; then the old one is revoked.
    let new = ["rotate", "--release", "--keep-release", "--algorithm", "p256"];
    let both = desk.change(&new).await;
    assert_eq!(both["release_key_ids"].as_array().unwrap().len(), 2);
    assert_eq!(desk.update("1.0.7", "release-3.key", false).await, "confirmed");
    let old = both["release_key_ids"][0].as_str().unwrap().to_owned();
    desk.change(&["revoke", &old]).await;
    let console = &desk.fleet.console;
    let file = console.image_file("1.0.8", &image("1.0.8")).unwrap();
    let refused = console.try_publish("1.0.8", &file).await.unwrap();
    assert!(refused.stderr.contains("key_revoked"), "{}", refused.stderr);

    // Another server key, and another root key that signs the document after.
    desk.change(&["rotate", "--server-key", "--new-root"]).await;
    assert_eq!(desk.update("1.0.8", "release-3.key", false).await, "confirmed");
    desk.until_trust(|trust| trust["root"] == 5).await;
    std::fs::rename(format!("{}/root-5.key", desk.keys), format!("{}/root.key", desk.keys))
        .unwrap();
    desk.change(&["rotate", "--no-server-key"]).await;
    assert_eq!(desk.update("1.0.9", "release-3.key", false).await, "confirmed");

    // Older software needs the publisher's flag; the update says what it is.
    assert_eq!(desk.update("1.0.10", "release-3.key", true).await, "confirmed");
    assert_eq!(desk.done(&["update", "show", "clock-01"]).await["downgrade"], true);
}

/// A client for what needs no server.
fn offline() -> otaru_real_fleet::Client {
    otaru_real_fleet::Client::new(
        Path::new(env!("CARGO_BIN_EXE_otaru")),
        "http://127.0.0.1:9",
        Path::new("/dev/null"),
    )
}

/// Rotated first, as somebody does who has only lost the key, and found to be stolen later.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_rotated_out_can_still_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let client = offline();
    let (keys, key) = (path("keys"), path("keys/root.key"));
    let made = client.done(&["key", "new", "--out", &keys, "--no-passphrase"]).await.unwrap();
    let (root_key, stolen) = (&made["root_key_id"], made["release_key_id"].as_str().unwrap());
    let after = async |how: &[&str], root: &str| {
        let known = ["--root", &path(root), "--key", &key, "--out", &keys, "--no-passphrase"];
        client.run(&[&["key"][..], how, &known].concat()).await.unwrap()
    };
    assert_eq!(after(&["rotate", "--release"], "keys/root.cbor").await.code, 0);
    let revoked = after(&["revoke", stolen], "keys/root-2.cbor").await;
    assert_eq!(revoked.code, 0, "{}", revoked.stderr);
    assert!(revoked.stderr.contains("does not name key"), "{}", revoked.stderr);

    let second = client.done(&["key", "show", &path("keys/root-2.cbor")]).await.unwrap();
    let third = client.done(&["key", "show", &path("keys/root-3.cbor")]).await.unwrap();
    assert_eq!(third["revoked_key_ids"], serde_json::json!([stolen]));
    assert_eq!(third["release_key_ids"], second["release_key_ids"], "the new one still counts");
    // Once is enough, and the only root key signs what comes next.
    let again = after(&["revoke", stolen], "keys/root-3.cbor").await;
    assert!(again.stderr.contains("revokes key"), "{}", again.stderr);
    let only = after(&["revoke", root_key.as_str().unwrap()], "keys/root-3.cbor").await;
    assert!(only.stderr.contains("it is the only root key"), "{}", only.stderr);
    assert!(!Path::new(&path("keys/root-4.cbor")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_behind_a_command_signs_as_one_in_a_file_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let client = offline();
    // A key of another tool: its public half in PEM, its signatures in DER.
    let openssl = |arguments: &str| {
        let made = std::process::Command::new("sh").args(["-c", arguments]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let (key, public) = (path("k.pem"), path("k.pub"));
    openssl(&format!("openssl ecparam -name prime256v1 -genkey -noout -out {key}"));
    openssl(&format!("openssl ec -in {key} -pubout -out {public}"));
    let signer = format!("openssl pkeyutl -sign -inkey {key}");
    let elsewhere = ["--signer", &signer, "--signer-key", &public];
    let new = ["key", "new", "--out", &path("keys"), "--no-passphrase"];
    client.done(&[&new[..], &elsewhere].concat()).await.unwrap();
    let rotate = ["key", "rotate", "--root", &path("keys/root.cbor"), "--out", &path("keys")];
    let rotated = client
        .done(&[&rotate[..], &elsewhere, &["--release-key", &public, "--keep-release"]].concat())
        .await
        .unwrap();
    assert_eq!(rotated["number"], 2);

    // Ed25519 signs the message itself, and OpenSSL reads it from a file.
    let (key, public) = (path("e.pem"), path("e.pub"));
    openssl(&format!("openssl genpkey -algorithm ed25519 -out {key}"));
    openssl(&format!("openssl pkey -in {key} -pubout -out {public}"));
    let message = path("message");
    let signer =
        format!("cat > {message} && openssl pkeyutl -sign -rawin -inkey {key} -in {message}");
    std::fs::write(path("f.bin"), image("1.0.5")).unwrap();
    let sign = ["release", "sign", &path("f.bin"), "--product", "clock", "--version", "1.0.5"];
    let how = ["--sequence", "7", "--out", &path("f.manifest")];
    let elsewhere = ["--signer", &signer, "--signer-key", &public];
    let signed = client.done(&[&sign[..], &how, &elsewhere].concat()).await.unwrap();
    assert_eq!(signed["sequence"], 7);

    // A command that signs with another key is found out.
    let other = ["--signer", &signer, "--signer-key", &path("k.pub")];
    let output = client.run(&[&sign[..], &how, &other].concat()).await.unwrap();
    assert_ne!(output.code, 0);
}
