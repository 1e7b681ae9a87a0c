//! Durable shadow updates: how many a second, and how long each waits.
//!
//! An update counts when its `accepted` has arrived, which the server sends after the commit. Beside it,
//! in the same run: messages that only pass through our broker and through Mosquitto, with the same
//! load generator on the same cores.

mod client;
mod load;

use crate::figure::Figure;
use crate::mosquitto::Mosquitto;
use anyhow::{Result, ensure};
use load::{Load, Outcome, Request};
use otaru_postgres::Database;
use otaru_real_fleet::Server;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// How many connections the curve is drawn over; the targets stand at the last but one.
const CURVE: [usize; 5] = [1, 10, 50, 200, 500];
const TARGET_CONNECTIONS: usize = 200;
const IN_FLIGHT: usize = 10;
const DURATION: Duration = Duration::from_secs(5);

const SQLITE_TARGET_PER_S: f64 = 20_000.0;
const POSTGRES_TARGET_PER_S: f64 = 12_000.0;

/// Nothing that Mosquitto was given is dropped, and it waits for nobody before it sends.
const UNLIMITED: &str = "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n";

/// Measures and prints everything.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-shadow`", binary.display());
    let folder = TempDir::with_prefix("otaru-bench-")?;
    println!(
        "{:32} {:>11} {:>10} {:>9} {:>9}",
        "", "connections", "per second", "p50 ms", "p99 ms"
    );

    let mosquitto = Mosquitto::start(folder.path(), UNLIMITED).await?;
    for connections in CURVE {
        print_row(
            "mosquitto, passing through",
            connections,
            &run(Request::Echo, connections, mosquitto.address).await?,
        );
    }
    mosquitto.stop().await?;

    let sqlite = measure_server(binary, &folder.path().join("sqlite"), None).await?;
    let database = Database::fresh_durable();
    let postgres =
        measure_server(binary, &folder.path().join("postgres"), Some(database.url())).await?;
    println!("{}", Figure::at_least("updates_sqlite", sqlite, SQLITE_TARGET_PER_S, "/s"));
    println!("{}", Figure::at_least("updates_postgres", postgres, POSTGRES_TARGET_PER_S, "/s"));
    Ok(())
}

/// Prints the curve of one server; updates a second at the connections of the target.
async fn measure_server(binary: &Path, folder: &Path, database_url: Option<&str>) -> Result<f64> {
    let database = if database_url.is_some() { "PostgreSQL" } else { "SQLite" };
    std::fs::create_dir_all(folder)?;
    let mut server = Server::new(binary, folder, database_url)?;
    let address = server.admit_backends()?;
    server.start().await?;
    if database_url.is_none() {
        for connections in CURVE {
            print_row(
                "otaru, passing through",
                connections,
                &run(Request::Echo, connections, address).await?,
            );
        }
    }
    let mut at_target = 0.0;
    for connections in CURVE {
        let outcome = run(Request::ShadowUpdate, connections, address).await?;
        print_row(&format!("otaru, updates on {database}"), connections, &outcome);
        if connections == TARGET_CONNECTIONS {
            at_target = outcome.per_s;
        }
    }
    server.stop().await?;
    Ok(at_target)
}

async fn run(request: Request, connections: usize, address: SocketAddr) -> Result<Outcome> {
    Load { request, connections, in_flight: IN_FLIGHT, duration: DURATION }.run(address).await
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn print_row(what: &str, connections: usize, outcome: &Outcome) {
    let Outcome { per_s, p50, p99 } = outcome;
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    println!("{what:32} {connections:>11} {per_s:>10.0} {:>9.2} {:>9.2}", ms(p50), ms(p99));
}
