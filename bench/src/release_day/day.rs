//! One release day: a server, its devices, a release, Install, and the end of all updates.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use otaru_real_fleet::{Fleet, FleetOptions, Program};
use serde_json::{Value, json};
use tokio::process::Command;

use super::LOSS_PERCENT;
use super::ends::Ends;
use super::images::{Images, VERSIONS};
use crate::machine::{peak_kib, processes_of, processor_time, reset_peak, resident_kib};

/// Requests for an update that are open at once: what a console or script keeps up.
const INSTALLS_AT_ONCE: usize = 16;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// For everything that must come to its end.
const LIMIT: Duration = Duration::from_secs(1_800);

/// How the update comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Patch,
    Image,
}

/// What a release day took.
pub(super) struct Day {
    /// Devices of whom the server heard it, lists it, and who say it of themselves: the least.
    pub(super) confirmed: usize,
    /// Links that were cut, those to the broker included.
    pub(super) cuts: u64,
    /// Bytes of images and patches that arrived, before a cut too.
    pub(super) sent_bytes: u64,
    /// From the first Install to the last end.
    pub(super) took: Duration,
    /// Of the server, in that time.
    pub(super) cpu: Duration,
    /// Most resident memory of the server in that time.
    pub(super) peak_kib: u64,
    /// And just before.
    pub(super) rest_kib: u64,
    /// A line for each update that ended otherwise, and for counts that differ.
    pub(super) others: Vec<String>,
}

/// Devices in a process of their own.
struct Devices {
    program: Program,
    log: PathBuf,
}

/// Lives one.
pub(super) async fn live(binary: &Path, devices: usize, images: &Images, way: Way) -> Result<Day> {
    let [old, new] = VERSIONS;
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: (old, &images.old),
        devices: 0,
        self_test: Duration::ZERO,
        link_kbps: None,
    };
    let fleet = Fleet::start(&options).await?;
    let mut sim = Devices::start(&fleet, binary, devices, way)?;
    sim.until(async |_| are_reported(&fleet, devices).await).await?;
    fleet.console.publish(new, &images.new).await?;
    sim.until(async |_| is_patch_ready(&fleet).await).await?;

    let id = fleet.server.program().and_then(Program::id).context("the server runs")?;
    let processes = processes_of(id)?;
    reset_peak(id)?;
    let (rest_kib, cpu_before) = (resident_kib(id)?, processor_time(&processes)?);
    let token = std::fs::read_to_string(fleet.server.admin_token_file())?;
    let address = fleet.server.url().trim_start_matches("http://").parse()?;
    let mut ends = Ends::listen(address, token.trim()).await?;
    let begin = Instant::now();
    install(&fleet, devices, new).await?;
    let last = tokio::time::timeout(LIMIT, ends.wait_for(devices)).await;
    let cpu = processor_time(&processes)?.saturating_sub(cpu_before);
    let peak_kib = peak_kib(id)?;
    let took = match last {
        Ok(last) => last?.duration_since(begin),
        Err(_) => LIMIT,
    };
    let listed = confirmed(&fleet, new).await?;
    let told = sim.stop().await?;
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let counts = [ends.count("confirmed"), listed, number(&told["versions"][new]) as usize];
    let mut others = ends.but("confirmed");
    if counts != [counts[0]; 3] {
        others.push(format!("confirmed as heard, as listed, and by the devices: {counts:?}"));
    }
    Ok(Day {
        confirmed: counts.into_iter().min().unwrap_or(0),
        cuts: number(&told["link_cuts"]),
        sent_bytes: number(&told["received_bytes"]),
        took,
        cpu,
        peak_kib,
        rest_kib,
        others,
    })
}

impl Devices {
    fn start(fleet: &Fleet, binary: &Path, devices: usize, way: Way) -> Result<Devices> {
        let log = fleet.folder().join("devices.log");
        let mut command = Command::new(binary);
        command
            .args(["sim", "--json", "--product", "clock", "--devices", &devices.to_string()])
            .args(["--loss-percent", &LOSS_PERCENT.to_string()])
            .arg("--dir")
            .arg(fleet.folder().join("devices"))
            .arg("--image")
            .arg(fleet.folder().join(format!("clock-{}.bin", VERSIONS[0])))
            .env("OTARU_SERVER", fleet.server.url())
            .env("OTARU_TOKEN_FILE", fleet.server.admin_token_file());
        if way == Way::Image {
            command.arg("--full-images");
        }
        let program = Program::start(&mut command, &log)?;
        Ok(Devices { program, log })
    }

    /// Looks until it is so; gives up when the devices end.
    async fn until(&mut self, is_so: impl AsyncFn(&Devices) -> Result<bool>) -> Result<()> {
        let begin = Instant::now();
        while !is_so(self).await? {
            if let Some(status) = self.program.ended()? {
                let said = std::fs::read_to_string(&self.log)?;
                bail!("the devices ended with {status}: {said}");
            }
            ensure!(begin.elapsed() < LIMIT, "waited in vain for {LIMIT:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Ends all of them; what they say in sum.
    async fn stop(mut self) -> Result<Value> {
        self.program.stop(LIMIT).await?;
        let said = std::fs::read_to_string(&self.log)?;
        serde_json::from_str(said.lines().last().context("the devices say something")?)
            .context("the devices say JSON")
    }
}

/// Whether the server knows what every device runs.
async fn are_reported(fleet: &Fleet, devices: usize) -> Result<bool> {
    let listed = fleet.console.admin_api.items("/api/v1/devices").await?;
    let known = |device: &&Value| device["online"] == true && !device["running"].is_null();
    Ok(listed.iter().filter(known).count() == devices)
}

/// How many devices run the version and are sure of it, as the server lists them.
async fn confirmed(fleet: &Fleet, version: &str) -> Result<usize> {
    let listed = fleet.console.admin_api.items("/api/v1/devices").await?;
    let is_sure = |device: &&Value| {
        device["running"]["version"] == version && device["running"]["state"] == "confirmed"
    };
    Ok(listed.iter().filter(is_sure).count())
}

/// Whether the patch from what devices run is there.
async fn is_patch_ready(fleet: &Fleet) -> Result<bool> {
    let [old, new] = VERSIONS;
    let path = format!("/api/v1/products/clock/releases/{new}/patches");
    let made = fleet.console.admin_api.items(&path).await?;
    let from_old = made.iter().find(|patch| patch["base_version"] == old);
    if let Some(patch) = from_old.filter(|patch| patch["state"] == "skipped") {
        bail!("the server makes no patch: {patch}");
    }
    Ok(from_old.is_some_and(|patch| patch["state"] == "ready"))
}

/// Presses Install for each device.
async fn install(fleet: &Fleet, devices: usize, version: &str) -> Result<()> {
    let presses = (1..=devices).map(|number| async move {
        let path = format!("/api/v1/devices/sim-{number:04}/update");
        let wish = json!({ "version": version, "when": "now" });
        let answer = fleet.console.admin_api.post(&path, &wish).await?;
        ensure!(answer.is_acknowledged(), "Install was refused: {answer:?}");
        Ok(())
    });
    futures::stream::iter(presses).buffer_unordered(INSTALLS_AT_ONCE).try_collect().await
}
