//! Firmware on its way into a real server that is killed, or whose disk is full: all of it
//! arrives, or nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use otaru_real_fleet::{Api, Behaviour, Client, Server, firmware};
use otaru_wire::Digest;
use tempfile::TempDir;

#[path = "intake/bucket.rs"]
mod bucket;
#[path = "intake/patches.rs"]
mod patches;

/// Longer than the server stores at once, so that there is a middle to be killed in.
const IMAGE_BYTES: usize = 3_000_000;

struct House {
    server: Server,
    client: Client,
    folder: TempDir,
}

impl House {
    /// Whose only bytes are images.
    async fn start(binary: impl FnOnce(&Path) -> PathBuf) -> House {
        House::start_with("[patches]\nenabled = false\n", binary).await
    }

    /// With these settings of the server, as its file says them.
    async fn start_with(settings: &str, binary: impl FnOnce(&Path) -> PathBuf) -> House {
        House::start_as(settings, Vec::new(), binary).await
    }

    /// And with these variables in its environment.
    async fn start_as(
        settings: &str,
        environment: Vec<(String, String)>,
        binary: impl FnOnce(&Path) -> PathBuf,
    ) -> House {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("server")).unwrap();
        fs::write(folder.path().join("server/otaru.toml"), settings).unwrap();
        let server = Server::new(&binary(folder.path()), folder.path(), None).unwrap();
        let mut server = server.with_environment(environment);
        server.start().await.unwrap();
        let client = Client::new(otaru(), &server.url(), &server.admin_token_file());
        let house = House { server, client, folder };
        house.done(&["key", "new", "--out", &house.path("keys"), "--no-passphrase"]).await;
        let root = house.path("keys/root.cbor");
        let create = ["product", "create", "clock", "--chip", "esp32c3", "--flash", "16M"];
        house.done(&[&create[..], &["--root", &root]].concat()).await;
        house
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn image(&self, version: &str, size_bytes: usize) -> (String, Vec<u8>) {
        let image = firmware(version, size_bytes, Behaviour::Pass);
        let path = self.path(&format!("{version}.bin"));
        fs::write(&path, &image).unwrap();
        (path, image)
    }

    async fn done(&self, arguments: &[&str]) -> serde_json::Value {
        self.client.done(arguments).await.unwrap()
    }

    /// `release publish`, however it ends.
    async fn publish(&self, file: &str, version: &str) -> otaru_real_fleet::CommandOutput {
        let key = self.path("keys/release.key");
        let what = ["release", "publish", file, "--product", "clock", "--version", version];
        self.client.run(&[&what[..], &["--key", &key]].concat()).await.unwrap()
    }

    fn api(&self) -> Api {
        let token = fs::read_to_string(self.server.admin_token_file()).unwrap();
        Api::with_token(&self.server.url(), token.trim()).unwrap()
    }

    /// A request of tus, with these headers; the answer's offset, if it has one.
    async fn tus(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
    ) -> (u16, Option<u64>, String) {
        let token = fs::read_to_string(self.server.admin_token_file()).unwrap();
        let url = format!("{}{path}", self.server.url());
        let mut request =
            reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(token.trim());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.unwrap();
        let text = |name: &str| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
        let offset = text("upload-offset").and_then(|offset| offset.parse().ok());
        (answer.status().as_u16(), offset, text("location").unwrap_or_default())
    }

    /// Every stored image is whole: its bytes hash to its name, and nothing half written is left.
    fn assert_images_are_whole(&self) -> usize {
        let folder = self.folder.path().join("server/blobs");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert_eq!(Digest::of(&fs::read(file).unwrap()).to_string(), name);
        }
        files.len()
    }
}

fn otaru() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_the_server_was_killed_in_its_middle_on_sqlite() {
    let mut house = House::start(|_| otaru().to_owned()).await;
    let (file, image) = house.image("1.0.5", IMAGE_BYTES);
    let digest = STANDARD.encode(Digest::of(&image).to_string());
    let begin = [
        ("upload-length", image.len().to_string()),
        ("upload-metadata", format!("sha256 {digest}")),
    ];
    let (status, _, location) = house.tus("POST", "/api/v1/uploads", &begin).await;
    assert_eq!(status, 201);

    // Two thirds of it, and then nothing more: the connection stays open.
    let token = fs::read_to_string(house.server.admin_token_file()).unwrap();
    let half = image[..IMAGE_BYTES * 2 / 3].to_vec();
    let sent = half.len() as u64;
    let body = futures::stream::iter([Ok::<_, std::io::Error>(half)]);
    let body = body.chain(futures::stream::pending());
    let sending = reqwest::Client::new()
        .patch(format!("{}{location}", house.server.url()))
        .bearer_auth(token.trim())
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", "0")
        .body(reqwest::Body::wrap_stream(body))
        .send();
    let sending = tokio::spawn(sending);
    let stored = loop {
        let (_, offset, _) = house.tus("HEAD", &location, &[]).await;
        match offset {
            Some(offset) if offset >= 1_000_000 => break offset,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    house.server.kill().await.unwrap();
    assert!(sending.await.unwrap().is_err());
    assert_eq!(house.assert_images_are_whole(), 0);

    house.server.start().await.unwrap();
    let (_, offset, _) = house.tus("HEAD", &location, &[]).await;
    let offset = offset.unwrap();
    assert!((stored..=sent).contains(&offset), "{stored} <= {offset} <= {sent}");
    assert_eq!(house.assert_images_are_whole(), 0);

    // The command finds the upload by the image, and goes on with it.
    let output = house.publish(&file, "1.0.5").await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(house.assert_images_are_whole(), 1);
    assert_eq!(house.api().bytes("/firmware/clock/1.0.5.bin").await.unwrap(), image);
    let verify = ["release", "verify", "--product", "clock", "--version", "1.0.5", "--root-key"];
    house.done(&[&verify[..], &[&house.path("keys/root.pub")]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_releases_are_published_has_them_whole_or_not_at_all_on_sqlite() {
    let mut house = House::start(|_| otaru().to_owned()).await;
    for round in 0..6_u64 {
        let version = format!("1.0.{round}");
        let (file, image) = house.image(&version, IMAGE_BYTES);
        tokio::select! {
            _ = house.publish(&file, &version) => {}
            () = tokio::time::sleep(Duration::from_millis(25 * round)) => {}
        }
        house.server.kill().await.unwrap();
        house.server.start().await.unwrap();
        house.assert_images_are_whole();
        let known = house.api().get(&format!("/api/v1/products/clock/releases/{version}")).await;
        if known.unwrap().is_acknowledged() {
            let served = house.api().bytes(&format!("/firmware/clock/{version}.bin")).await;
            assert_eq!(served.unwrap(), image);
        }
        let output = house.publish(&file, &version).await;
        assert_eq!(output.code, 0, "round {round}: {}", output.stderr);
        let served = house.api().bytes(&format!("/firmware/clock/{version}.bin")).await;
        assert_eq!(served.unwrap(), image);
    }
    assert_eq!(house.assert_images_are_whole(), 6);
}

/// A program like ours whose images lie on a disk of 2 MB.
fn on_a_small_disk(folder: &Path) -> PathBuf {
    let (wrapper, blobs) = (folder.join("otaru-on-a-small-disk"), folder.join("server/blobs"));
    fs::create_dir_all(&blobs).unwrap();
    let mount = format!("mount -t tmpfs -o size=2m tmpfs {}", blobs.display());
    let script = format!(
        "#!/bin/sh\nexec unshare --user --map-root-user --mount \
         sh -c '{mount} && exec {} \"$@\"' otaru \"$@\"\n",
        otaru().display()
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).unwrap();
    wrapper
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_leaves_nothing_on_sqlite() {
    if std::env::var_os("OTARU_WITHOUT_NAMESPACES").is_some() {
        return;
    }
    let house = House::start(on_a_small_disk).await;
    let (large, _) = house.image("1.0.5", IMAGE_BYTES);
    let output = house.publish(&large, "1.0.5").await;
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("storage_full"), "{}", output.stderr);
    let listed = house.done(&["release", "list", "--product", "clock"]).await;
    assert_eq!(listed["items"], serde_json::json!([]));

    // Its pieces arrive; the image that they would become has no room beside them.
    let (middle, _) = house.image("1.0.6", 1_200_000);
    let output = house.publish(&middle, "1.0.6").await;
    assert!(output.stderr.contains("storage_full"), "{}", output.stderr);

    let (small, image) = house.image("1.0.7", 300_000);
    let output = house.publish(&small, "1.0.7").await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(house.api().bytes("/firmware/clock/1.0.7.bin").await.unwrap(), image);
}
