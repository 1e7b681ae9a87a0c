//! What the demo does, step by step, with the time of each.

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context, bail};
use otaru_release::{Behaviour, Chip, ImageBuilder};
use otaru_wire::{Digest, ReleaseVersion};

use super::{
    DemoArguments,
    commands::{otaru, path},
    owner::Owner,
    processes::{Process, Server},
};

const PRODUCT: &str = "clock";
const OLD: &str = "1.0.4";
const NEW: &str = "1.0.5";
const EMAIL: &str = "owner@example.org";

/// A common size of an ESP32-C3 application with Wi-Fi and TLS.
const IMAGE_BYTES: usize = 1_500_000;

/// The demo under way.
pub(crate) struct Story {
    folder: PathBuf,
    begin: Instant,
    bad_release: bool,
    things: Vec<String>,
    self_test_ms: String,
    server: Option<Server>,
    devices: Vec<Process>,
}

impl Story {
    pub(crate) fn new(folder: PathBuf, arguments: &DemoArguments) -> Story {
        Story {
            folder,
            begin: Instant::now(),
            bad_release: arguments.bad_release,
            things: (1..=arguments.devices).map(|number| format!("clock-{number:02}")).collect(),
            self_test_ms: arguments.self_test_ms.to_string(),
            server: None,
            devices: Vec::new(),
        }
    }

    /// Prints a step with the time since the start.
    #[expect(clippy::print_stdout, reason = "the steps are what the demo prints")]
    pub(crate) fn say(&self, step: &str) {
        println!("{:7.2} s  {step}", self.begin.elapsed().as_secs_f64());
    }

    /// For an end that was not promised: the last lines of every process.
    pub(crate) fn tell_what_the_processes_said(&self) {
        let server = self.server.as_ref().map(|server| ("server", &server.process));
        let devices = self.things.iter().map(String::as_str).zip(&self.devices);
        for (name, process) in server.into_iter().chain(devices) {
            eprintln!("--- {name} ---\n{}", process.last_words());
        }
    }

    /// Everything up to the release; with `install` also the update and its end.
    pub(crate) async fn tell(&mut self, install: bool) -> anyhow::Result<()> {
        self.start_server().await?;
        self.create_product().await?;
        let owner = self.add_owner().await?;
        self.add_devices(&owner).await?;
        owner.wait_until_all_run(OLD).await?;
        self.say(&format!("{} devices online, running {OLD}", self.things.len()));
        let sha256 = self.publish().await?;
        owner.wait_until_offered(NEW).await?;
        self.say(&format!("The owner's app offers {NEW}"));
        if !install {
            return self.say_how_to_install().await;
        }
        self.install(&owner).await?;
        self.end(&owner, &sha256).await
    }

    async fn start_server(&mut self) -> anyhow::Result<()> {
        let server = Server::start(&self.folder).await?;
        self.say(&format!("Server ready at {}", server.http_url));
        self.server = Some(server);
        Ok(())
    }

    async fn create_product(&self) -> anyhow::Result<()> {
        let (keys, images) = (self.folder.join("keys"), self.folder.join("images"));
        fs::create_dir_all(&images)?;
        self.run(&["key", "new", "--out", path(&keys)?, "--no-passphrase"]).await?;
        let root = keys.join("root.cbor");
        let root = ["--root", path(&root)?];
        let product = ["product", "create", PRODUCT, "--chip", "esp32c3", "--flash", "4M"];
        self.run(&[&product[..], &root].concat()).await?;
        let behaviour = if self.bad_release { Behaviour::Fail } else { Behaviour::Pass };
        fs::write(self.image(OLD), build(OLD, Behaviour::Pass))?;
        fs::write(self.image(NEW), build(NEW, behaviour))?;
        self.say(&format!("Product {PRODUCT} (ESP32-C3, 4 MiB flash) with keys of its own"));
        Ok(())
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
            let (flash, image) = (self.folder.join(format!("{thing}.flash")), self.image(OLD));
            let arguments = [
                "sim",
                "--dir",
                path(&files)?,
                "--flash",
                path(&flash)?,
                "--image",
                path(&image)?,
                "--self-test-ms",
                &self.self_test_ms,
            ];
            self.devices.push(Process::start(&thing, &self.folder, &arguments)?);
            self.say(&format!("{thing} registered, claimed, started as a process of its own"));
        }
        Ok(())
    }

    async fn publish(&self) -> anyhow::Result<String> {
        let (image, key) = (self.image(NEW), self.folder.join("keys/release.key"));
        let publish = ["release", "publish", path(&image)?, "--product", PRODUCT, "--version", NEW];
        let signed = ["--key", path(&key)?, "--notes", "Winter time comes on the right day."];
        self.run(&[&publish[..], &signed].concat()).await?;
        self.say(&format!("Release {NEW} signed and published"));
        let expected = if self.bad_release { OLD } else { NEW };
        Ok(Digest::of(&fs::read(self.image(expected))?).to_string())
    }

    async fn install(&self, owner: &Owner) -> anyhow::Result<()> {
        let version = ReleaseVersion::new(NEW)?;
        for thing in &self.things {
            owner.install(thing, &version).await?;
            self.say(&format!("{thing}: Install"));
        }
        Ok(())
    }

    async fn end(&mut self, owner: &Owner, sha256: &str) -> anyhow::Result<()> {
        let ended = owner.follow(&self.things, |step| self.say(step)).await?;
        let promised = if self.bad_release { "rolled_back" } else { "confirmed" };
        for (thing, update) in &ended {
            let reason = update.reason.as_ref().map(|reason| reason.name.as_str());
            let said_why = !self.bad_release || reason == Some("self_test_failed");
            if update.outcome.as_deref() != Some(promised) || !said_why {
                bail!("{thing} ended {:?} ({reason:?}), not {promised}", update.outcome);
            }
        }
        let expected = if self.bad_release { OLD } else { NEW };
        owner.check_all_run(expected, sha256, promised).await?;
        for process in &mut self.devices {
            process.check()?;
        }
        self.say(&match self.bad_release {
            false => format!("Done: {} devices run and have confirmed {NEW}", self.things.len()),
            true => format!("Done: {} devices kept {OLD} and said why", self.things.len()),
        });
        Ok(())
    }

    /// The owner's app by a link that lets in; the operator's way beside it.
    async fn say_how_to_install(&self) -> anyhow::Result<()> {
        let server = self.server()?.http_url.clone();
        let link = self.run(&["user", "reset-link", EMAIL]).await?;
        let link = link["url"].as_str().context("no link in the answer")?;
        // The plain port of this machine: a browser does not know the demo's own authority.
        let code = link.split_once('#').context("no code in the link")?.1;
        self.say("Open the owner's app, choose a password, and tap Install:");
        self.say(&format!("  {server}/reset#{code}"));
        let token = self.folder.join("server/admin.token");
        self.say("Or install as an operator, in another terminal, with");
        self.say(&format!("  export OTARU_SERVER={server}"));
        self.say(&format!("  export OTARU_TOKEN_FILE={}", token.display()));
        for thing in &self.things {
            self.say(&format!("  otaru update start {thing} {NEW} --watch"));
        }
        Ok(())
    }

    fn image(&self, version: &str) -> PathBuf {
        self.folder.join(format!("images/{PRODUCT}-{version}.bin"))
    }

    fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("the server is not running")
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
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
