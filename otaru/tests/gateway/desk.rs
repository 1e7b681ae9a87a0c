//! A server, a gateway and a folder for both. What runs is read from the gateway's folder and from
//! what its program wrote, with no code of the device.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use otaru_real_fleet::{Client, Program as Process, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

mod certificates;

const THING: &str = "gateway-01";
const PRODUCT: &str = "gateway";
/// How long anything is waited for; nothing takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(120);
/// Several chunks of 64 KiB and a part.
const IMAGE_BYTES: usize = 300_001;
/// Longer than an image, and no multiple of anything.
const PARTITION_BYTES: usize = 500_003;

/// What a release's program is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Good,
    FailsItsTest,
    HangsInItsTest,
    /// Who starts it never comes to an end.
    HangsInItsStart,
    /// It ends at once.
    Ends,
    /// It is no program at all.
    IsNone,
}

/// Where slots are, and who runs the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Files, and the gateway.
    Files,
    /// Partitions, and somebody else.
    Partitions,
    /// As files, of a gateway that makes its own key with a token.
    OwnKey,
    /// As with its own key, and a certificate that is due from its first day on.
    Renews,
}

pub(crate) struct Desk {
    admin: Client,
    device: Option<Process>,
    images: BTreeMap<String, Vec<u8>>,
    _server: Server,
    /// Last, so that it is removed when no process writes there any more.
    folder: TempDir,
}

impl Desk {
    /// A server with a product, and a gateway that is off and has 1.0.0.
    pub(crate) async fn start(shape: Shape) -> Desk {
        let binary = Path::new(env!("CARGO_BIN_EXE_otaru"));
        let folder = TempDir::with_prefix("otaru-gateway-").unwrap();
        let mut server = Server::new(binary, folder.path(), None).unwrap();
        if shape == Shape::Renews {
            std::fs::create_dir_all(server.folder()).unwrap();
            let short = "[devices]\ncertificate_days = 1\n";
            std::fs::write(server.folder().join("otaru.toml"), short).unwrap();
        }
        server.start().await.unwrap();
        let admin = Client::new(binary, &server.url(), &server.admin_token_file());
        let images = BTreeMap::new();
        let mut desk = Desk { admin, device: None, images, _server: server, folder };
        let keys = desk.text("keys");
        desk.done(&["key", "new", "--out", &keys, "--no-passphrase"]).await;
        let root = desk.text("keys/root.cbor");
        let create = ["product", "create", PRODUCT, "--chip", "linux", "--flash", "4M"];
        desk.done(&[&create[..], &["--images", "raw", "--root", &root]].concat()).await;
        desk.publish("1.0.0", Program::Good).await;
        let provisioning = desk.text("provisioning");
        let token = desk.text("token.toml");
        let (how, out) = match shape {
            Shape::Files | Shape::Partitions => ("add", &provisioning),
            Shape::OwnKey | Shape::Renews => ("enrolment-token", &token),
        };
        desk.done(&["device", how, THING, "--product", PRODUCT, "--out", out]).await;
        desk.write_configuration(shape);
        desk
    }

    fn write_configuration(&self, shape: Shape) {
        let path = |name: &str| self.text(name);
        self.script("self-test", &format!(
            "grep -q '^# hangs' '{current}' && exec sleep 60\nexec grep -q '^# good' '{current}'\n",
            current = path("state/current"),
        ));
        self.script("apply", &format!("echo \"setting $(cat)\" >> '{}'\n", path("said")));
        self.script(
            "restart",
            &format!(
                "grep -q '^# stuck' '{current}' && exec sleep 60\necho restarted >> '{said}'\n",
                current = path("state/current"),
                said = path("said"),
            ),
        );
        let (partitions, run) = match shape {
            Shape::Files | Shape::OwnKey | Shape::Renews => {
                (String::new(), format!("run = [\"{}\"]", path("state/current")))
            }
            Shape::Partitions => {
                for name in ["a", "b"] {
                    std::fs::write(path(name), vec![0; PARTITION_BYTES]).unwrap();
                }
                let partitions = format!("partitions = [\"{}\", \"{}\"]", path("a"), path("b"));
                let restart = format!("restart = [\"{}\"]\nrestart_limit_s = 2", path("restart"));
                (partitions, restart)
            }
        };
        let enrolment = match shape {
            Shape::OwnKey | Shape::Renews => format!("enrolment = \"{}\"", path("token.toml")),
            Shape::Files | Shape::Partitions => String::new(),
        };
        let certificate = match shape {
            Shape::Renews => "[certificate]\nrenew = false\nrenew_before_days = 2",
            Shape::Files | Shape::Partitions | Shape::OwnKey => "",
        };
        let config = format!(
            r#"
            provisioning = "{}"
            {enrolment}
            state = "{}"
            [slots]
            first_image = "{}"
            max_mib = 1
            {partitions}
            [product]
            {run}
            self_test = ["{}"]
            self_test_limit_s = 2
            stop_limit_s = 5
            apply_settings = ["{}"]
            [update]
            retry_base_s = 1
            retry_cap_s = 1
            {certificate}
            "#,
            path("provisioning"),
            path("state"),
            path("1.0.0.image"),
            path("self-test"),
            path("apply"),
        );
        std::fs::write(path("device.toml"), config).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.text(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Signs and publishes a release.
    pub(crate) async fn publish(&mut self, version: &str, program: Program) {
        let image = self.image(version, program);
        let file = self.text(&format!("{version}.image"));
        std::fs::write(&file, &image).unwrap();
        self.images.insert(version.to_owned(), image);
        let key = self.text("keys/release.key");
        let what = ["release", "publish", &file, "--product", PRODUCT, "--raw", "linux"];
        self.done(&[&what[..], &["--version", version, "--key", &key]].concat()).await;
    }

    /// A program that says that it started and that it was asked to end, and ends with its parent.
    fn image(&self, version: &str, program: Program) -> Vec<u8> {
        let (said, pid) = (self.text("said"), self.text("pid"));
        let (word, body) = match program {
            Program::Good => ("good", ""),
            Program::FailsItsTest => ("bad", ""),
            Program::HangsInItsTest => ("hangs", ""),
            Program::HangsInItsStart => ("stuck", ""),
            Program::Ends | Program::IsNone => ("good", "exit 3\n"),
        };
        let first = if program == Program::IsNone { "\x7FELF" } else { "#!/bin/sh" };
        let mut image = format!(
            "{first}\n# {word}\n{body}\
             trap 'echo \"{version} ended\" >> \"{said}\"; exit 0' TERM\n\
             echo $$ > '{pid}'\n\
             echo '{version} started' >> '{said}'\n\
             while kill -0 \"$PPID\" 2>/dev/null; do sleep 0.1; done\nexit\n"
        )
        .into_bytes();
        let mut number = version.bytes().fold(7_u64, |seed, byte| seed * 31 + u64::from(byte));
        while image.len() < IMAGE_BYTES {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            image.extend_from_slice(&number.to_le_bytes());
        }
        // An end that looks like erased flash is part of the image, too.
        image.extend_from_slice(&[0xFF; 5]);
        image
    }

    /// The rights of the gateway's private key.
    pub(crate) fn mode_of_key(&self) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(self.text("provisioning/key.pem")).unwrap();
        key.permissions().mode() & 0o777
    }

    /// Starts the gateway.
    pub(crate) fn power_on(&mut self) {
        let binary = Path::new(env!("CARGO_BIN_EXE_otaru")).with_file_name("otaru-device");
        assert!(
            binary.exists(),
            "{} was not built: test the whole workspace, or `-p otaru-daemon` too",
            binary.display()
        );
        let mut command = Command::new(binary);
        command.arg("--config").arg(self.text("device.toml"));
        command.env("OTARU_LOG", "info,otaru=debug");
        let log = self.folder.path().join("device.log");
        self.device = Some(Process::start(&mut command, &log).unwrap());
    }

    /// `kill -9` of the gateway; its program is left alone.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut device) = self.device.take() {
            device.kill().await.unwrap();
        }
    }

    /// `kill -TERM`, as systemd does.
    pub(crate) async fn stop(&mut self) {
        let mut device = self.device.take().unwrap();
        assert!(device.stop(LIMIT).await.unwrap().success());
    }

    /// Asks for an update, once the server knows what runs.
    pub(crate) async fn begin(&mut self, version: &str) {
        self.until("the report", |shadow| {
            shadow["state"]["reported"]["firmware"]["sha256"].is_string().then_some(())
        })
        .await;
        self.done(&["update", "start", THING, version]).await;
    }

    /// Asks for an update; how it ended.
    pub(crate) async fn install(&mut self, version: &str) -> String {
        self.begin(version).await;
        self.end().await
    }

    /// How the newest update ended, once it has.
    pub(crate) async fn end(&mut self) -> String {
        let begin = Instant::now();
        loop {
            let ended = self.done(&["update", "show", THING]).await;
            if let Some(outcome) = ended["outcome"].as_str() {
                let reason = ended["reason"]["name"].as_str();
                return outcome.to_owned() + &reason.map_or(String::new(), |r| format!(" {r}"));
            }
            self.keep_waiting(begin, &format!("the end: {ended}"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Wishes for a setting.
    pub(crate) async fn wish_for_setting(&self, name: &str, value: &str) {
        let set = format!("{name}={value}");
        self.done(&["device", "settings", THING, &set]).await;
    }

    /// Waits until the gateway reports a setting.
    pub(crate) async fn until_reported(&mut self, name: &str, value: &Value) {
        let is_so =
            |shadow: &Value| (shadow["state"]["reported"]["config"][name] == *value).then_some(());
        self.until("the setting", is_so).await;
    }

    async fn until<T>(&mut self, what: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            let shown = self.admin.run(&["shadow", "get", THING]).await.unwrap();
            let shadow = serde_json::from_str(&shown.stdout).unwrap_or_default();
            if let Some(found) = found(&shadow) {
                return found;
            }
            self.keep_waiting(begin, what);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends SIGKILL to the program of the product.
    pub(crate) async fn end_program(&self) {
        let pid = std::fs::read_to_string(self.text("pid")).unwrap();
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status().await.unwrap();
        assert!(killed.success());
    }

    /// Waits until the server has a log record with this message.
    pub(crate) async fn until_logged(&mut self, message: &str) {
        let begin = Instant::now();
        loop {
            let logs = self.admin.run(&["device", "logs", THING]).await.unwrap();
            if logs.stdout.contains(message) {
                return;
            }
            self.keep_waiting(begin, message);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the program of this version said that it started, and nothing since.
    pub(crate) async fn until_started(&mut self, version: &str) {
        let started = format!("{version} started");
        let begin = Instant::now();
        while self.said().last() != Some(&started) {
            self.keep_waiting(begin, &started);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the product's programs said this.
    pub(crate) async fn until_said(&mut self, line: &str) {
        self.until_said_again(0, line).await;
    }

    /// Waits until they said this behind so many lines.
    pub(crate) async fn until_said_again(&mut self, before: usize, line: &str) {
        let begin = Instant::now();
        while !self.said().iter().skip(before).any(|found| found == line) {
            self.keep_waiting(begin, line);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the product's programs said.
    pub(crate) fn said(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.text("said")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What `current` names is this release, to the byte.
    pub(crate) fn assert_current_is(&self, version: &str) {
        assert_eq!(self.current(), Some(version.to_owned()), "{:?}", self.said());
    }

    /// What `current` names is a known release, to the byte.
    pub(crate) fn assert_current_is_whole(&self) {
        // Killed before it ran for the first time.
        if std::fs::symlink_metadata(self.text("state/current")).is_ok() {
            assert!(self.current().is_some(), "current is no known image");
        }
    }

    /// The partition that `current` names begins with this release, and is as long as ever.
    pub(crate) fn assert_partition_is(&self, name: &str, version: &str) {
        let to = std::fs::read_link(self.text("state/current")).unwrap();
        assert_eq!(to, Path::new(&self.text(name)));
        let found = std::fs::read(to).unwrap();
        assert!(found.starts_with(&self.images[version]) && found.len() == PARTITION_BYTES);
    }

    fn current(&self) -> Option<String> {
        let found = std::fs::read(self.text("state/current")).unwrap();
        let mut known = self.images.iter();
        known.find(|(_, image)| **image == found).map(|(version, _)| version.clone())
    }

    fn keep_waiting(&mut self, begin: Instant, what: &str) {
        let ended = self.device.as_mut().and_then(|device| device.ended().unwrap());
        if ended.is_none() && begin.elapsed() < LIMIT {
            return;
        }
        let log = std::fs::read_to_string(self.text("device.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        panic!("{what} never came, ended {ended:?}, said {:?}\n{}", self.said(), tail.join("\n"));
    }

    async fn done(&self, arguments: &[&str]) -> Value {
        self.admin.done(arguments).await.unwrap()
    }

    fn text(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}
