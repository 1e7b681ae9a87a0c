//! Many simulated devices in one process, with links and power that fail.

#[path = "fleet/elsewhere.rs"]
mod elsewhere;
#[path = "fleet/patches.rs"]
mod patches;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, Program, firmware};
use serde_json::{Value, json};
use tokio::process::Command;

const DEVICES: usize = 20;
const IMAGE_BYTES: usize = 300_000;
const LIMIT: Duration = Duration::from_secs(120);

/// A server, and the folder that its simulated devices live in.
struct Site {
    fleet: Fleet,
    devices: PathBuf,
    log: PathBuf,
}

impl Site {
    async fn start() -> Site {
        let site = Site::with_factory_image(&image("1.0.4")).await;
        site.fleet.console.publish("1.0.5", &image("1.0.5")).await.unwrap();
        site
    }

    async fn with_factory_image(image: &[u8]) -> Site {
        let options = FleetOptions {
            binary: Path::new(env!("CARGO_BIN_EXE_otaru")),
            database_url: None,
            factory: ("1.0.4", image),
            devices: 0,
            self_test: Duration::from_millis(20),
            link_kbps: None,
        };
        let fleet = Fleet::start(&options).await.unwrap();
        let devices = fleet.folder().join("devices");
        let log = fleet.folder().join("sim.log");
        Site { fleet, devices, log }
    }

    /// `otaru sim` with so many devices.
    fn sim(&self, devices: usize, arguments: &[&str]) -> Program {
        self.start_sim(devices, arguments, |command| command)
    }

    /// The same on a system that trusts these authorities.
    fn sim_that_trusts(&self, pem: &Path, devices: usize, arguments: &[&str]) -> Program {
        self.start_sim(devices, arguments, |command| command.env("SSL_CERT_FILE", pem))
    }

    fn start_sim(
        &self,
        devices: usize,
        arguments: &[&str],
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_otaru"));
        command
            .args(["sim", "--json", "--self-test-ms", "20", "--retry-base-ms", "100", "--devices"])
            .arg(devices.to_string())
            .arg("--dir")
            .arg(&self.devices)
            .args(arguments)
            .env("OTARU_SERVER", self.fleet.server.url())
            .env("OTARU_TOKEN_FILE", self.fleet.server.admin_token_file())
            .env_remove("OTARU_TOKEN");
        let _ = std::fs::remove_file(&self.log);
        Program::start(change(&mut command), &self.log).unwrap()
    }

    /// What `otaru sim` says that does not run.
    async fn refused(&self, devices: usize, arguments: &[&str]) -> String {
        let mut sim = self.sim(devices, arguments);
        let begin = Instant::now();
        loop {
            let said = std::fs::read_to_string(&self.log).unwrap();
            if let Some(status) = sim.ended().unwrap() {
                assert!(!status.success(), "{said}");
                return std::fs::read_to_string(&self.log).unwrap();
            }
            assert!(begin.elapsed() < LIMIT, "it runs:\n{said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the process printed so far.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the process itself says so.
    async fn until_told(&self, sim: &mut Program, is_so: impl Fn(&Value) -> bool) {
        self.until(sim, async || self.lines().last().is_some_and(&is_so)).await;
    }

    /// Waits until the server knows that every device runs the version and is sure of it.
    async fn until_all_run(&self, sim: &mut Program, version: &str) {
        let all_run = async || {
            let devices = self.fleet.console.admin_api.items("/api/v1/devices").await.unwrap();
            assert_eq!(devices.len(), DEVICES);
            devices.iter().all(|device| {
                device["running"]["version"] == version && device["running"]["state"] == "confirmed"
            })
        };
        self.until(sim, all_run).await;
    }

    async fn until(&self, sim: &mut Program, is_so: impl AsyncFn() -> bool) {
        let begin = Instant::now();
        while !is_so().await {
            let ended = sim.ended().unwrap();
            let said = std::fs::read_to_string(&self.log).unwrap();
            assert!(ended.is_none() && begin.elapsed() < LIMIT, "{ended:?}:\n{said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn request_updates(&self) {
        for number in 1..=DEVICES {
            self.request_update(number).await;
        }
    }

    async fn request_update(&self, number: usize) {
        let path = format!("/api/v1/devices/sim-{number:04}/update");
        let wish = json!({ "version": "1.0.5", "when": "now" });
        let answer = self.fleet.console.admin_api.post(&path, &wish).await.unwrap();
        assert!(answer.is_acknowledged(), "{answer:?}");
    }

    /// Bytes on the disk for what a device changed of its flash.
    fn changes(&self, number: usize) -> u64 {
        let file = self.devices.join(format!("sim-{number:04}/flash.changes"));
        std::fs::metadata(file).unwrap().blocks() * 512
    }
}

fn image(version: &str) -> Vec<u8> {
    firmware(version, IMAGE_BYTES, Behaviour::Pass)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_updates_through_cuts_and_goes_on_after_a_restart() {
    let site = Site::start().await;
    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let new = ["--product", "clock", "--image", factory.to_str().unwrap()];
    let link = ["--link-kbps", "1000-8000", "--loss-percent", "5", "--cut-every", "60s"];
    let power = ["--power-cuts-per-hour", "120"];
    let mut sim = site.sim(DEVICES, &[&new[..], &link, &power].concat());
    site.until_told(&mut sim, |told| told["devices"] == DEVICES).await;
    site.request_updates().await;
    site.until_all_run(&mut sim, "1.0.5").await;
    let was_cut = |told: &Value| {
        told["power_cuts"].as_u64() >= Some(2) && told["link_cuts"].as_u64() >= Some(1)
    };
    site.until_told(&mut sim, was_cut).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
    let lines = site.lines();
    let rows: Vec<&Value> = lines.iter().filter(|line| line["thing"].is_string()).collect();
    assert_eq!(rows.len(), DEVICES);
    assert!(rows.iter().all(|row| row["version"] == "1.0.5"), "{rows:?}");
    assert!(rows.iter().all(|row| row["last"] == "confirmed"), "{rows:?}");

    // They share what they left the factory with: each keeps little more than the new image.
    for number in 1..=DEVICES {
        let changes = site.changes(number);
        assert!((IMAGE_BYTES as u64..600_000).contains(&changes), "{changes} bytes");
    }

    // The same devices, without a word of where they came from.
    let mut sim = site.sim(DEVICES, &[]);
    let run_on = |told: &Value| {
        told["versions"]["1.0.5"] == DEVICES && told["online"] == DEVICES && told["power_cuts"] == 0
    };
    site.until_told(&mut sim, run_on).await;
    site.until_all_run(&mut sim, "1.0.5").await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
}

/// They are on for a second or two, and their new firmware fails: each goes back and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_comes_and_goes_says_how_its_updates_ended() {
    let site = Site::start().await;
    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let new = ["--product", "clock", "--image", factory.to_str().unwrap()];
    let turns = ["--presence", "2s/1s", "--self-test-fails-percent", "100", "--seed", "7"];
    let mut sim = site.sim(3, &[&new[..], &turns].concat());
    site.until_told(&mut sim, |told| told["devices"] == 3).await;
    for number in 1..=3 {
        site.request_update(number).await;
    }
    for number in 1..=3 {
        let path = format!("/api/v1/devices/sim-{number:04}/update");
        let went_back = async || {
            let update = site.fleet.console.admin_api.get(&path).await.unwrap();
            update.body["outcome"] == "rolled_back"
        };
        site.until(&mut sim, went_back).await;
    }
    site.until_told(&mut sim, |told| told["on"].as_u64() < Some(3)).await;
    site.until_told(&mut sim, |told| told["on"] == 3 && told["versions"]["1.0.4"] == 3).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_go_on_is_named_and_left_behind() {
    let site = Site::start().await;
    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let new = ["--product", "clock", "--image", factory.to_str().unwrap()];
    let mut sim = site.sim(3, &new);
    site.until_told(&mut sim, |told| told["online"] == 3).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
    std::fs::write(site.devices.join("sim-0002/device.toml"), "nonsense").unwrap();

    let mut sim = site.sim(3, &new);
    site.until_told(&mut sim, |told| told["online"] == 2 && told["failed"] == 1).await;
    assert!(!sim.stop(LIMIT).await.unwrap().success());
    let lines = site.lines();
    let fault = |thing: &str| &lines.iter().find(|line| line["thing"] == thing).unwrap()["fault"];
    assert!(fault("sim-0001").is_null() && fault("sim-0003").is_null(), "{lines:?}");
    let why = fault("sim-0002").as_str().unwrap();
    let said = std::fs::read_to_string(&site.log).unwrap();
    assert!(said.contains(&format!("1 of 3 devices could not go on: sim-0002: {why}")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_first_image_is_refused() {
    let site = Site::start().await;
    let image = |name: &str| site.fleet.folder().join(name).to_str().unwrap().to_owned();
    let (first, other) = (image("clock-1.0.4.bin"), image("other.bin"));
    let mut sim = site.sim(1, &["--product", "clock", "--image", &first]);
    site.until_told(&mut sim, |told| told["online"] == 1).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
    let longer = [std::fs::read(&first).unwrap(), vec![0]].concat();
    for bytes in [firmware("1.0.6", IMAGE_BYTES, Behaviour::Pass), longer] {
        std::fs::write(&other, bytes).unwrap();
        let said = site.refused(1, &["--image", &other]).await;
        assert!(said.contains("is not what the devices below"), "{said}");
        assert!(said.contains("leave it out"), "{said}");
    }
}

/// A name that is somebody else's is left alone; one whose key was lost on the way is not.
#[tokio::test(flavor = "multi_thread")]
async fn devices_are_registered_once() {
    let site = Site::start().await;
    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let new = ["--product", "clock", "--image", factory.to_str().unwrap()];
    let elsewhere = site.fleet.folder().join("elsewhere");
    let add = ["device", "add", "sim-0002", "--product", "clock", "--out"];
    let admin = &site.fleet.console.admin;
    admin.done(&[&add[..], &[elsewhere.to_str().unwrap()]].concat()).await.unwrap();
    assert!(site.refused(2, &new).await.contains("could not register sim-0002"));
    assert!(site.refused(2, &new).await.contains("could not register sim-0002"));

    std::fs::create_dir(site.devices.join("sim-0002.new")).unwrap();
    let mut sim = site.sim(2, &new);
    site.until_told(&mut sim, |told| told["online"] == 2).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
    assert!(site.refused(3, &[]).await.contains("--product"));
}
