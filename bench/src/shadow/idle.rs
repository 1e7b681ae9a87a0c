//! What a device that is connected and silent costs.
//!
//! Memory is the slope of the server's resident memory from few devices to many, after each has
//! made an update and heard the answer, so that whatever is allocated on first use counts.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};

use super::client::Client;
use super::devices::{AT_ONCE, Device};
use super::site::Site;
use crate::figure::Figure;
use crate::machine::resident_kib;
use crate::mosquitto::Mosquitto;

const FEW: usize = 500;
pub(super) const MANY: usize = 2_000;

/// Until what opening so many connections took is given back.
const REST: Duration = Duration::from_secs(3);

const TARGET_KIB: u32 = 40;

/// What a device subscribes to below its shadow's prefix: five are what an application of AWS's
/// device SDK needs, seven what our own agent takes.
const TOPICS: [&str; 7] = [
    "get/accepted",
    "get/rejected",
    "update/accepted",
    "update/rejected",
    "update/delta",
    "update/documents",
    "delete/accepted",
];
const FEWER: usize = 5;

const ANSWER: &str = "update/accepted";
const UPDATE: &[u8] = br#"{"state":{"reported":{"config":{"phrase_type":"haiku"}}}}"#;

/// Measures a server that does not run yet, and Mosquitto with the same certificates.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(super) async fn measure(mut site: Site, devices: &[Device], folder: &Path) -> Result<Figure> {
    let mut ours = Vec::new();
    for topics in [&TOPICS[..FEWER], &TOPICS] {
        site.start().await?;
        let visit = Visit { address: site.mqtts()?, topics, asked: "update" };
        ours.push(measure_one(site.id()?, visit, devices).await?);
        site.stop().await?;
    }
    let (mosquitto, address) = Mosquitto::start_secure(folder, "", &site.authority()).await?;
    let visit = Visit { address, topics: &TOPICS, asked: ANSWER };
    let theirs = measure_one(mosquitto.id()?, visit, devices).await?;
    mosquitto.stop().await?;
    println!("{:50} {:>11} {:>10}", "", "connections", "KiB each");
    let row = |who: &str, topics: usize, kib: f64| {
        let what = format!("{who} over TLS, idle devices, {topics} topics each");
        println!("{what:50} {MANY:>11} {kib:>10.1}");
    };
    row("mosquitto", TOPICS.len(), theirs);
    row("otaru", FEWER, ours[0]);
    row("otaru", TOPICS.len(), ours[1]);
    Ok(Figure::memory_each("idle_device_tls", ours[1], TARGET_KIB))
}

/// What a device does before it is silent.
#[derive(Clone, Copy)]
struct Visit<'a> {
    address: SocketAddr,
    topics: &'a [&'a str],
    /// Where its update goes.
    asked: &'a str,
}

/// Memory of the process `id` for each device.
async fn measure_one(id: u32, visit: Visit<'_>, devices: &[Device]) -> Result<f64> {
    let mut clients: Vec<Client> = Vec::new();
    let mut resident = Vec::new();
    for size in [FEW, MANY] {
        let joining = devices[clients.len()..size].iter().map(|device| join(device, visit));
        let joined = futures::stream::iter(joining).buffered(AT_ONCE);
        clients.extend(joined.try_collect::<Vec<_>>().await?);
        tokio::time::sleep(REST).await;
        resident.push(resident_kib(id)?);
    }
    for client in &mut clients {
        let news = client.waiting_message().await?;
        ensure!(news.is_none(), "an idle device heard something: {news:?}");
    }
    eprintln!("{resident:?} KiB for {FEW} and {MANY}");
    Ok((resident[1] as f64 - resident[0] as f64) / (MANY - FEW) as f64)
}

/// Connects, subscribes as a device does, and makes one update.
async fn join(device: &Device, visit: Visit<'_>) -> Result<Client> {
    let topic = |rest: &str| format!("$aws/things/{}/shadow/{rest}", device.thing);
    let mut client = device.connect(visit.address).await?;
    let filters: Vec<String> = visit.topics.iter().map(|rest| topic(rest)).collect();
    client.subscribe(&filters.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    client.feed(&topic(visit.asked).into(), UPDATE.into()).await?;
    client.flush().await?;
    while *client.message().await?.topic != *topic(ANSWER) {}
    client.flush().await?;
    Ok(client)
}
