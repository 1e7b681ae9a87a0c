//! Two servers that differ in how much they have stored, measured in turn.
//!
//! Whatever else the machine does falls upon both alike; of the rounds the middle counts.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::client::Client;
use super::devices::{self, Device};
use super::load::{Connection, Load, Request};
use super::outcome::Outcome;
use super::paced::{self, Kind, PER_S, Receiver};
use super::print_row;
use super::site::Site;
use super::stored::{self, CONNECTIONS, FEW};
use crate::figure::Figure;
use crate::mosquitto::{Mosquitto, UNLIMITED};

/// Devices there are; the load needs fewer.
pub(super) const DEVICES: usize = super::idle::MANY;

const ROUNDS: usize = 3;
/// The slowest hundredth is made by rare events: its middle needs more rounds.
const DELTA_ROUNDS: usize = 5;
const DURATION: Duration = Duration::from_secs(3);

const TLS_TARGET_PER_S: f64 = 10_000.0;
const DELTA_P50_TARGET: Duration = Duration::from_micros(1_500);
const DELTA_P99_TARGET: Duration = Duration::from_millis(10);

/// How much worse the larger may be, in per cent of the smaller.
const RATE_TARGET: f64 = 80.0;
const TIME_TARGET: f64 = 120.0;

pub(super) struct Pair {
    few: Site,
    many: Site,
    /// How many shadows the larger has stored.
    stored: usize,
    devices: Vec<Device>,
    mosquitto: Mosquitto,
    /// Where devices connect to Mosquitto.
    mosquitto_tls: SocketAddr,
}

impl Pair {
    /// Sets both up, and Mosquitto with the same certificates.
    pub(super) async fn start(binary: &Path, folder: &Path, stored: usize) -> Result<Pair> {
        let mut few = Site::new(binary, &folder.join("few"))?;
        let mut many = Site::new(binary, &folder.join("many"))?;
        few.start().await?;
        let devices = few.register(binary, DEVICES).await?;
        make_first_shadow(&few).await?;
        few.stop().await?;
        many.take_over(&few).await?;
        stored::fill(&few.database(), FEW)?;
        stored::fill(&many.database(), stored)?;
        few.start().await?;
        many.start().await?;
        let (mosquitto, mosquitto_tls) =
            Mosquitto::start_secure(folder, UNLIMITED, &few.authority()).await?;
        Ok(Pair { few, many, stored, devices, mosquitto, mosquitto_tls })
    }

    /// Ends what the rest does not need; answers the smaller server, stopped, and the devices.
    pub(super) async fn end(mut self) -> Result<(Site, Vec<Device>)> {
        self.mosquitto.stop().await?;
        self.many.stop().await?;
        self.few.stop().await?;
        Ok((self.few, self.devices))
    }

    /// Updates a second.
    pub(super) async fn measure_updates(&self) -> Result<Vec<Figure>> {
        let stored = self.stored;
        let mut rounds: [Vec<Outcome>; 5] = Default::default();
        for _ in 0..ROUNDS {
            rounds[0].push(self.ask_securely(Request::Echo, self.mosquitto_tls).await?);
            rounds[1].push(self.ask_securely(Request::ShadowUpdate, self.few.mqtts()?).await?);
            rounds[2].push(self.ask_securely(Request::ShadowUpdate, self.many.mqtts()?).await?);
            rounds[3].push(ask_spread(&self.few, FEW).await?);
            rounds[4].push(ask_spread(&self.many, stored).await?);
        }
        let names = [
            "mosquitto over TLS, passing through".to_owned(),
            format!("otaru over TLS, updates, {FEW} stored"),
            format!("otaru over TLS, updates, {stored} stored"),
            format!("otaru, updates of {FEW} things in turn, {FEW} stored"),
            format!("otaru, updates of {FEW} things in turn, {stored} stored"),
        ];
        let [_, few, many, few_spread, many_spread] = print_medians(names, &rounds, CONNECTIONS);
        let percent = |many: Outcome, few: Outcome| 100.0 * many.per_s / few.per_s;
        Ok(vec![
            Figure::at_least("updates_tls_sqlite", few.per_s, TLS_TARGET_PER_S, "/s"),
            Figure::at_least("updates_tls_many_stored", percent(many, few), RATE_TARGET, "%"),
            Figure::at_least(
                "updates_spread_many_stored",
                percent(many_spread, few_spread),
                RATE_TARGET,
                "%",
            ),
        ])
    }

    /// From update to delta, at an even pace.
    pub(super) async fn measure_deltas(&self) -> Result<Vec<Figure>> {
        let mut rounds: [Vec<Outcome>; 4] = Default::default();
        for round in 0..DELTA_ROUNDS {
            let mosquitto = (self.mosquitto.address, self.mosquitto_tls);
            let few = (self.few.backends, self.few.mqtts()?);
            let many = (self.many.backends, self.many.mqtts()?);
            if round < ROUNDS {
                rounds[0].push(self.send(Kind::Passing, mosquitto).await?);
                rounds[1].push(self.send(Kind::Passing, few).await?);
            }
            rounds[2].push(self.send(Kind::Delta, few).await?);
            rounds[3].push(self.send(Kind::Delta, many).await?);
        }
        let names = [
            format!("mosquitto, passing through at {PER_S}/s"),
            format!("otaru, passing through at {PER_S}/s"),
            format!("otaru, update to delta at {PER_S}/s, {FEW} stored"),
            format!("otaru, update to delta at {PER_S}/s, {} stored", self.stored),
        ];
        let [_, _, few, many] = print_medians(names, &rounds, CONNECTIONS);
        let percent =
            |many: Duration, few: Duration| 100.0 * many.as_secs_f64() / few.as_secs_f64();
        let (p50, p99) = (percent(many.p50, few.p50), percent(many.p99, few.p99));
        Ok(vec![
            Figure::time("update_to_delta_p50", few.p50, DELTA_P50_TARGET),
            Figure::time("update_to_delta_p99", few.p99, DELTA_P99_TARGET),
            Figure::at_most("update_to_delta_p50_many_stored", p50, TIME_TARGET, "%"),
            Figure::at_most("update_to_delta_p99_many_stored", p99, TIME_TARGET, "%"),
        ])
    }

    /// One load over mutual TLS, each device about itself.
    async fn ask_securely(&self, request: Request, address: SocketAddr) -> Result<Outcome> {
        let devices = &self.devices[..CONNECTIONS];
        let clients = devices::connect(devices, address).await?;
        let things = devices.iter().map(|device| vec![device.thing.clone()]);
        let connections = clients.into_iter().zip(things);
        let connections =
            connections.map(|(client, things)| Connection { client, things }).collect();
        Load { request, duration: DURATION }.run(connections).await
    }

    /// One run at an even pace: a backend sends, devices hear over mutual TLS.
    async fn send(&self, kind: Kind, address: (SocketAddr, SocketAddr)) -> Result<Outcome> {
        let (backends, secure) = address;
        let devices = &self.devices[..CONNECTIONS];
        let clients = devices::connect(devices, secure).await?;
        let receivers = clients.into_iter().zip(devices);
        let receivers =
            receivers.map(|(client, device)| Receiver { client, thing: device.thing.clone() });
        let sender = Client::plain(backends, "backend").await?;
        paced::run(kind, sender, receivers.collect()).await
    }
}

/// What all stored shadows are copies of.
async fn make_first_shadow(site: &Site) -> Result<()> {
    let client = Client::plain(site.backends, "backend").await?;
    let things = vec!["load-0".to_owned()];
    let load = Load { request: Request::ShadowUpdate, duration: Duration::from_millis(10) };
    load.run(vec![Connection { client, things }]).await.context("the first shadow")?;
    Ok(())
}

/// One load without TLS, about many things in turn.
async fn ask_spread(site: &Site, stored: usize) -> Result<Outcome> {
    let mut connections = Vec::new();
    for nth in 0..CONNECTIONS {
        let client = Client::plain(site.backends, &format!("backend-{nth}")).await?;
        connections.push(Connection { client, things: stored::spread(nth, stored) });
    }
    Load { request: Request::ShadowUpdate, duration: DURATION }.run(connections).await
}

/// Prints and answers the middle of each kind's rounds.
fn print_medians<const N: usize>(
    names: [String; N],
    rounds: &[Vec<Outcome>; N],
    connections: usize,
) -> [Outcome; N] {
    let medians = std::array::from_fn(|nth| Outcome::median(&rounds[nth]));
    for (name, median) in names.iter().zip(&medians) {
        print_row(name, connections, median);
    }
    medians
}
