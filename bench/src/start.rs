//! Start of the server, its memory at rest, and one update on an idle machine.

use crate::figure::{Figure, median};
use crate::machine::resident_kib;
use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, Server, firmware};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const STARTS: usize = 11;
const UPDATES: usize = 5;

/// Long enough for start-up work to be over.
const REST: Duration = Duration::from_secs(3);

/// Size of the installed image.
const IMAGE_BYTES: usize = 1_500_000;

/// What the new firmware takes to test itself; taken off the measured time.
const SELF_TEST: Duration = Duration::from_millis(500);

/// An update that takes longer than this is a failure, not a number.
const UPDATE_LIMIT: Duration = Duration::from_secs(60);

const START_TARGET: Duration = Duration::from_millis(300);
const REST_TARGET_MIB: u32 = 40;
const UPDATE_TARGET: Duration = Duration::from_secs(3);

/// Measures and prints the three figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-start`", binary.display());
    let (start, rest_kib) = measure_server(binary).await?;
    let update = measure_updates(binary).await?;
    println!("{}", Figure::time("start_to_ready", start, START_TARGET));
    println!("{}", Figure::memory("idle_rss", rest_kib, REST_TARGET_MIB));
    println!("{}", Figure::time("install_to_confirmed_beyond_self_test", update, UPDATE_TARGET));
    Ok(())
}

/// Median time from exec to `/readyz` on a new data directory, and resident memory some seconds later.
async fn measure_server(binary: &Path) -> Result<(Duration, u64)> {
    let mut starts = Vec::new();
    let mut rest_kib = 0;
    for nth in 0..STARTS {
        let folder = TempDir::with_prefix("otaru-bench-")?;
        let mut server = Server::new(binary, folder.path(), None)?;
        starts.push(server.start().await?);
        if nth == STARTS - 1 {
            tokio::time::sleep(REST).await;
            let id = server.program().and_then(|program| program.id());
            rest_kib = resident_kib(id.context("the server does not run")?)?;
        }
        server.stop().await?;
    }
    eprintln!("starts: {starts:?}");
    Ok((median(starts), rest_kib))
}

/// Median time from Install to confirmed, less the self-test.
async fn measure_updates(binary: &Path) -> Result<Duration> {
    let factory = firmware("1.0.0", IMAGE_BYTES, Behaviour::Pass);
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: ("1.0.0", &factory),
        devices: 1,
        self_test: SELF_TEST,
        link_kbps: None,
    };
    let mut fleet = Fleet::start(&options).await?;
    fleet.devices[0].start()?;
    fleet.wait_until_reported(UPDATE_LIMIT).await?;
    let mut updates = Vec::new();
    for nth in 1..=UPDATES {
        let version = format!("1.0.{nth}");
        fleet.console.publish(&version, &firmware(&version, IMAGE_BYTES, Behaviour::Pass)).await?;
        updates.push(measure_update(&fleet, &version).await?.saturating_sub(SELF_TEST));
    }
    eprintln!("updates: {updates:?}");
    Ok(median(updates))
}

async fn measure_update(fleet: &Fleet, version: &str) -> Result<Duration> {
    let path = format!("/app/devices/{}/update", fleet.devices[0].thing());
    let begin = Instant::now();
    let wish = serde_json::json!({ "version": version, "when": "now" });
    let answer = fleet.console.owner.post(&path, &wish).await?;
    ensure!(answer.is_acknowledged(), "install of {version} was refused: {answer:?}");
    loop {
        let update = fleet.console.owner.get(&path).await?.body;
        match update["outcome"].as_str() {
            Some("confirmed") => return Ok(begin.elapsed()),
            Some(other) => anyhow::bail!("the update ended {other}: {update}"),
            None => {
                ensure!(begin.elapsed() < UPDATE_LIMIT, "no end after {UPDATE_LIMIT:?}: {update}")
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
