//! What the demo does, step by step, with the time of each.

use std::{fs, io::Write, path::PathBuf, time::Instant};

use anyhow::{Context, bail};
use otaru_release::{Behaviour, Chip, ImageBuilder};
use otaru_wire::{Digest, ReleaseVersion};

use super::{
    DemoArguments,
    board::Board,
    commands::{otaru, path},
    owner::Owner,
    processes::{ANY_PORT, Process, Server, free_or_any},
};

pub(super) const PRODUCT: &str = "clock";
pub(super) const OLD: &str = "1.0.4";
pub(crate) const NEW: &str = "1.0.5";
pub(crate) const EMAIL: &str = "owner@example.org";

/// Where a browser is sent that somebody types the address into, if it is free.
const MEMORABLE: &str = "127.0.0.1:8080";

/// A common size of an ESP32-C3 application with Wi-Fi and TLS.
const IMAGE_BYTES: usize = 1_500_000;

/// How new firmware comes onto a device.
struct Pace {
    self_test_ms: u64,
    link_kbps: Option<u32>,
}

/// For a person who watches: 19 seconds of download, then a while of testing.
const UNHURRIED: Pace = Pace { self_test_ms: 4_000, link_kbps: Some(640) };
/// For a script that waits.
const FAST: Pace = Pace { self_test_ms: 1_000, link_kbps: None };

/// The demo under way.
pub(crate) struct Story {
    pub(super) folder: PathBuf,
    begin: Instant,
    pub(super) bad_release: bool,
    pub(super) things: Vec<String>,
    pace: Pace,
    /// Where the server listens for people.
    http: &'static str,
    /// What runs the devices, unless they are simulated.
    pub(super) board: Option<Board>,
    pub(super) server: Option<Server>,
    pub(super) devices: Vec<(String, Process)>,
}

impl Story {
    pub(crate) fn new(folder: PathBuf, arguments: &DemoArguments, board: Option<Board>) -> Story {
        let usual = if arguments.auto { FAST } else { UNHURRIED };
        let devices = arguments.devices.unwrap_or(if board.is_some() { 1 } else { 3 });
        Story {
            folder,
            begin: Instant::now(),
            bad_release: arguments.bad_release,
            things: (1..=devices).map(|number| format!("clock-{number:02}")).collect(),
            pace: Pace {
                self_test_ms: arguments.self_test_ms.unwrap_or(usual.self_test_ms),
                link_kbps: arguments.link_kbps.or(usual.link_kbps),
            },
            http: if arguments.auto { ANY_PORT } else { free_or_any(MEMORABLE) },
            board,
            server: None,
            devices: Vec::new(),
        }
    }

    /// Prints a step with the time since the start.
    pub(crate) fn say(&self, step: &str) {
        self.tell(&format!("{:7.2} s  {step}", self.begin.elapsed().as_secs_f64()));
    }

    /// Prints lines. Whoever reads them may be gone: that is no reason to leave things behind.
    pub(super) fn tell(&self, lines: &str) {
        let mut stdout = std::io::stdout().lock();
        let _nobody_reads = writeln!(stdout, "{lines}").and_then(|()| stdout.flush());
    }

    /// For an end that was not promised: the last lines of every process.
    pub(crate) fn tell_what_the_processes_said(&self) {
        let server = self.server.as_ref().map(|server| ("server", &server.process));
        let devices = self.devices.iter().map(|(thing, process)| (thing.as_str(), process));
        for (name, process) in server.into_iter().chain(devices) {
            eprintln!("--- {name} ---\n{}", process.last_words());
        }
    }

    /// Ends all processes and waits until they are gone.
    pub(crate) async fn end(&mut self) {
        for (_, device) in self.devices.drain(..) {
            device.end().await;
        }
        if let Some(server) = self.server.take() {
            server.process.end().await;
        }
    }

    /// The whole story: the release, the owner's tap, and how it ends.
    pub(crate) async fn act(&mut self) -> anyhow::Result<()> {
        let owner = self.prepare().await?;
        let sha256 = self.publish_and_offer(&owner).await?;
        self.install(&owner, NEW).await?;
        self.check_end(&owner, NEW, &sha256).await?;
        if self.board.is_some() && !self.bad_release {
            self.say_what_was_received(NEW);
            self.go_on_by_patch(&owner).await?;
        }
        Ok(())
    }

    /// Everything before the release.
    pub(super) async fn prepare(&mut self) -> anyhow::Result<Owner> {
        self.start_server().await?;
        self.create_product().await?;
        let owner = self.add_owner().await?;
        self.add_devices(&owner).await?;
        owner.wait_until_all_run(OLD).await?;
        self.say(&format!("{} devices online, running {OLD}", self.things.len()));
        Ok(owner)
    }

    /// The release, up to the owner's app; answers what every device runs in the end.
    pub(super) async fn publish_and_offer(&self, owner: &Owner) -> anyhow::Result<String> {
        let sha256 = self.publish(NEW).await?;
        owner.wait_until_offered(NEW).await?;
        self.say(&format!("The owner's app offers {NEW}"));
        Ok(sha256)
    }

    pub(super) async fn start_server(&mut self) -> anyhow::Result<()> {
        // Another program may take the port in the meantime; then any other will do.
        for http in [self.http, ANY_PORT] {
            // Kept before it is ready, so that it is ended whenever this is.
            let names = if self.board.is_some() { &[Board::HOST, "localhost"][..] } else { &[] };
            let server = self.server.insert(Server::launch(&self.folder, http, names)?);
            match server.ready().await {
                Ok(()) => break,
                Err(error) if http == ANY_PORT => return Err(error),
                Err(_) => {}
            }
        }
        self.say(&format!("Server ready at {}", self.server()?.http_url));
        Ok(())
    }

    async fn create_product(&self) -> anyhow::Result<()> {
        let (keys, images) = (self.folder.join("keys"), self.folder.join("images"));
        fs::create_dir_all(&images)?;
        self.run(&["key", "new", "--out", path(&keys)?, "--no-passphrase"]).await?;
        let root = keys.join("root.cbor");
        let root = ["--root", path(&root)?];
        let (chip, words) = match &self.board {
            None => (&["--chip", "esp32c3", "--flash", "4M"][..], "ESP32-C3"),
            Some(_) => (&Board::PRODUCT[..], "the board virt"),
        };
        self.run(&[&["product", "create", PRODUCT][..], chip, &root].concat()).await?;
        self.make_image(OLD, false).await?;
        self.make_image(NEW, self.bad_release).await?;
        if self.board.is_some() {
            self.sign_for_factory().await?;
        }
        self.say(&format!("Product {PRODUCT} ({words}, 4 MiB flash) with keys of its own"));
        Ok(())
    }

    pub(super) async fn make_image(&self, version: &str, is_bad: bool) -> anyhow::Result<()> {
        let file = self.image(version);
        match &self.board {
            Some(board) => board.make_image(version, is_bad, &file).await,
            None => {
                let behaviour = if is_bad { Behaviour::Fail } else { Behaviour::Pass };
                Ok(fs::write(file, build(version, behaviour))?)
            }
        }
    }

    async fn add_owner(&self) -> anyhow::Result<Owner> {
        self.run(&["user", "add", EMAIL, "--role", "owner"]).await?;
        let token = self.run(&["token", "create", "--user", EMAIL]).await?;
        let token = token["token"].as_str().context("no token in the answer")?.to_owned();
        self.say(&format!("Owner {EMAIL}"));
        Owner::new(&self.server()?.http_url, token)
    }

    async fn add_devices(&mut self, owner: &Owner) -> anyhow::Result<()> {
        for thing in self.things.clone() {
            let files = self.folder.join(&thing);
            let add = ["device", "add", &thing, "--product", PRODUCT, "--out", path(&files)?];
            self.run(&add).await?;
            let code = self.run(&["device", "claim-code", &thing]).await?;
            owner.claim(code["code"].as_str().context("no code in the answer")?).await?;
            self.start_device(&thing)?;
            self.say(&format!("{thing} registered, claimed, started as a process of its own"));
        }
        Ok(())
    }

    pub(super) fn start_device(&mut self, thing: &str) -> anyhow::Result<()> {
        let (files, flash) = (self.folder.join(thing), self.folder.join(format!("{thing}.flash")));
        if let Some(board) = &self.board {
            let process = self.start_board(board, thing, &files, &flash)?;
            self.devices.push((thing.to_owned(), process));
            return Ok(());
        }
        let (image, self_test) = (self.image(OLD), self.pace.self_test_ms.to_string());
        let link = self.pace.link_kbps.map(|kbps| kbps.to_string());
        let mut arguments = vec!["sim", "--dir", path(&files)?, "--flash", path(&flash)?];
        arguments.extend(["--image", path(&image)?, "--self-test-ms", &self_test]);
        arguments.extend(link.iter().flat_map(|kbps| ["--link-kbps", kbps.as_str()]));
        let process = Process::start(thing, &self.folder, &arguments)?;
        self.devices.push((thing.to_owned(), process));
        Ok(())
    }

    pub(super) async fn publish(&self, version: &str) -> anyhow::Result<String> {
        let (image, key) = (self.image(version), self.folder.join("keys/release.key"));
        let publish = ["release", "publish", path(&image)?, "--product", PRODUCT];
        let signed = ["--key", path(&key)?, "--notes", "Winter time comes on the right day."];
        let raw = if self.board.is_some() { &Board::RAW[..] } else { &[] };
        self.run(&[&publish[..], &["--version", version], raw, &signed].concat()).await?;
        self.say(&format!("Release {version} signed and published"));
        let expected = if self.bad_release { OLD } else { version };
        Ok(Digest::of(&fs::read(self.image(expected))?).to_string())
    }

    pub(super) async fn install(&self, owner: &Owner, version: &str) -> anyhow::Result<()> {
        let version = ReleaseVersion::new(version)?;
        for thing in &self.things {
            owner.install(thing, &version).await?;
            self.say(&format!("{thing}: Install"));
        }
        Ok(())
    }

    pub(super) async fn check_end(
        &mut self,
        owner: &Owner,
        version: &str,
        sha256: &str,
    ) -> anyhow::Result<()> {
        let ended = owner.follow(&self.things, version, |step| self.say(step)).await?;
        let promised = if self.bad_release { "rolled_back" } else { "confirmed" };
        for (thing, update) in &ended {
            let reason = update.reason.as_ref().map(|reason| reason.name.as_str());
            let said_why = !self.bad_release || reason == Some("self_test_failed");
            if update.outcome.as_deref() != Some(promised) || !said_why {
                bail!("{thing} ended {:?} ({reason:?}), not {promised}", update.outcome);
            }
        }
        let expected = if self.bad_release { OLD } else { version };
        owner.check_all_run(expected, sha256, promised).await?;
        for (_, process) in &mut self.devices {
            process.check()?;
        }
        self.say(&match self.bad_release {
            false => {
                format!("Done: {} devices run and have confirmed {version}", self.things.len())
            }
            true => format!("Done: {} devices kept {OLD} and said why", self.things.len()),
        });
        Ok(())
    }

    pub(super) fn image(&self, version: &str) -> PathBuf {
        self.folder.join(format!("images/{PRODUCT}-{version}.bin"))
    }

    pub(super) fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("the server is not running")
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        otaru(self.server()?, arguments).await
    }
}

fn build(version: &str, behaviour: Behaviour) -> Vec<u8> {
    let seed = Digest::of(version.as_bytes()).as_bytes().iter().map(|byte| u64::from(*byte)).sum();
    ImageBuilder::new(Chip::Esp32C3)
        .size_bytes(IMAGE_BYTES)
        .version(version)
        .project(PRODUCT)
        .seed(seed)
        .behaviour(behaviour)
        .build()
}
