//! Throughput over the number of connections, without TLS, on each database.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use otaru_postgres::Database;
use otaru_real_fleet::Server;

use super::client::Client;
use super::load::{Connection, Load, Request};
use super::outcome::Outcome;
use super::{print_row, site};
use crate::figure::Figure;
use crate::mosquitto::{Mosquitto, UNLIMITED};

/// How many connections the curve is drawn over; the targets stand at the last but one.
const CONNECTIONS: [usize; 5] = [1, 10, 50, 200, 500];
const TARGET_CONNECTIONS: usize = 200;
const DURATION: Duration = Duration::from_secs(3);

const SQLITE_TARGET_PER_S: f64 = 20_000.0;
const POSTGRES_TARGET_PER_S: f64 = 12_000.0;

/// Draws the curves, and judges them.
pub(super) async fn measure(binary: &Path, folder: &Path) -> Result<Vec<Figure>> {
    let mosquitto = Mosquitto::start(folder, UNLIMITED).await?;
    draw("mosquitto, passing through", Request::Echo, mosquitto.address).await?;
    mosquitto.stop().await?;

    let sqlite = measure_server(binary, &folder.join("sqlite"), None).await?;
    let database = Database::fresh_durable();
    let postgres = measure_server(binary, &folder.join("postgres"), Some(database.url())).await?;
    Ok(vec![
        Figure::at_least("updates_sqlite", sqlite, SQLITE_TARGET_PER_S, "/s"),
        Figure::at_least("updates_postgres", postgres, POSTGRES_TARGET_PER_S, "/s"),
    ])
}

/// The curve of one server; updates a second at the connections of the target.
async fn measure_server(binary: &Path, folder: &Path, database_url: Option<&str>) -> Result<f64> {
    let database = if database_url.is_some() { "PostgreSQL" } else { "SQLite" };
    std::fs::create_dir_all(folder)?;
    let mut server = Server::new(binary, folder, database_url)?;
    let address = server.admit_backends()?;
    site::lift_limits(&server)?;
    server.start().await?;
    if database_url.is_none() {
        draw("otaru, passing through", Request::Echo, address).await?;
    }
    let what = format!("otaru, updates on {database}");
    let at_target = draw(&what, Request::ShadowUpdate, address).await?;
    server.stop().await?;
    Ok(at_target)
}

async fn draw(what: &str, request: Request, address: SocketAddr) -> Result<f64> {
    let mut at_target = 0.0;
    for count in CONNECTIONS {
        let outcome = run(request, count, address).await?;
        print_row(what, count, &outcome);
        if count == TARGET_CONNECTIONS {
            at_target = outcome.per_s;
        }
    }
    Ok(at_target)
}

async fn run(request: Request, count: usize, address: SocketAddr) -> Result<Outcome> {
    let mut connections = Vec::new();
    for nth in 0..count {
        let client = Client::plain(address, &format!("backend-{nth}")).await?;
        connections.push(Connection { client, things: vec![format!("load-{nth}")] });
    }
    Load { request, duration: DURATION }.run(connections).await
}
