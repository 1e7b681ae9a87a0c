//! What thousands of open listeners cost, and how fast one event reaches them all.
//!
//! Each listener is a connection of its own. Memory is the slope of the server's resident
//! memory from few listeners to many, after every one has received an event, so that whatever
//! is allocated on first use counts. Beside us, mosquitto with as many subscribers.

mod connect;
mod crowd;
mod grpc;
mod mqtt;
mod peer;
mod sse;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, firmware};
use serde_json::json;

use crate::figure::{Figure, median};
use crate::machine::{allow_open_files, resident_kib};
use connect::Target;
use crowd::{Crowd, Protocol};

const FEW: usize = 500;
const MANY: usize = 5_000;

/// Events that are timed.
const EVENTS: usize = 5;

/// One per listener, and some for everything else.
const OPEN_FILES: u64 = MANY as u64 + 1_000;

/// Until what opening so many connections took is given back.
const REST: Duration = Duration::from_secs(3);

const MEMORY_TARGET_KIB: u32 = 30;

/// What one protocol cost.
struct Cost {
    kib_each: f64,
    /// From before the request that makes the event until the last listener has it.
    event_to_all: Duration,
}

/// Measures and prints the figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-listeners`", binary.display());
    allow_open_files(OPEN_FILES)?;
    let sse = measure_protocol(binary, Protocol::Sse, false).await?;
    let grpc = measure_protocol(binary, Protocol::Grpc, false).await?;
    let sse_tls = measure_protocol(binary, Protocol::Sse, true).await?;
    let grpc_tls = measure_protocol(binary, Protocol::Grpc, true).await?;
    let peer = peer::measure().await?;
    println!("{MANY} listeners, each on its own connection, all on this machine");
    println!("| | memory of the server for each | one event to all |");
    println!("| --- | --- | --- |");
    let row = |name: &str, cost: &Cost| {
        let Cost { kib_each, event_to_all } = cost;
        println!("| {name} | {kib_each:.1} KiB | {} ms |", event_to_all.as_millis());
    };
    row("SSE, HTTP/1.1", &sse);
    row("gRPC, HTTP/2", &grpc);
    row("SSE, HTTP/1.1, TLS", &sse_tls);
    row("gRPC, HTTP/2, TLS", &grpc_tls);
    row("mosquitto, MQTT (no log, no accounts)", &peer);
    println!("sse_to_mosquitto_memory {:.1}", sse.kib_each / peer.kib_each);
    println!("grpc_to_mosquitto_memory {:.1}", grpc.kib_each / peer.kib_each);
    println!("{}", Figure::memory_each("sse_listener", sse.kib_each, MEMORY_TARGET_KIB));
    println!("{}", Figure::memory_each("grpc_listener", grpc.kib_each, MEMORY_TARGET_KIB));
    println!("{}", Figure::memory_each("sse_listener_tls", sse_tls.kib_each, MEMORY_TARGET_KIB));
    println!("{}", Figure::memory_each("grpc_listener_tls", grpc_tls.kib_each, MEMORY_TARGET_KIB));
    Ok(())
}

async fn measure_protocol(binary: &Path, protocol: Protocol, over_tls: bool) -> Result<Cost> {
    let factory = firmware("1.0.0", 100_000, Behaviour::Pass);
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: ("1.0.0", &factory),
        devices: 1,
        self_test: Duration::ZERO,
        link_kbps: None,
    };
    let fleet = Fleet::start(&options).await?;
    let token = fleet.console.admin.done(&["token", "create", "--user", "ada@example.com"]).await?;
    let token = token["token"].as_str().context("token create answered no token")?;
    let target = match over_tls {
        false => Target::plain(&fleet, token)?,
        true => Target::over_tls(&fleet, token)?,
    };
    let id = fleet.server.program().and_then(|program| program.id());
    let id = id.context("the server does not run")?;
    let path = format!("/app/devices/{}", fleet.devices[0].thing());
    let mut renamed = 0;
    let event = async || {
        renamed += 1;
        let name = json!({ "name": format!("Clock {renamed}") });
        let answer = fleet.console.owner.put(&path, &name).await?;
        ensure!(answer.is_acknowledged(), "the server refused: {answer:?}");
        Ok(())
    };
    measure_crowd(protocol, target, id, event).await
}

/// Grows a crowd, lets it hear, and looks at the process `id` that serves it.
async fn measure_crowd(
    protocol: Protocol,
    target: Target,
    id: u32,
    mut event: impl AsyncFnMut() -> Result<()>,
) -> Result<Cost> {
    let mut crowd = Crowd::new(protocol, target);
    let mut resident = Vec::new();
    let mut times = Vec::new();
    for size in [FEW, MANY] {
        crowd.grow_to(size).await?;
        times.clear();
        for _ in 0..EVENTS {
            let begin = Instant::now();
            event().await?;
            times.push(crowd.all_hear().await?.duration_since(begin));
        }
        tokio::time::sleep(REST).await;
        resident.push(resident_kib(id)?);
    }
    crowd.check_silence()?;
    eprintln!("{protocol:?}: {resident:?} KiB for {FEW} and {MANY}; events: {times:?}");
    let grown_kib = resident[1] as f64 - resident[0] as f64;
    Ok(Cost { kib_each: grown_kib / (MANY - FEW) as f64, event_to_all: median(times) })
}
