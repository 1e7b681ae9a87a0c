//! Durable shadow updates: how many a second, how long each waits, and what a connected device costs.
//!
//! An update counts when its `accepted` has arrived, which the server sends after the commit. Beside
//! it, in the same run: messages that only pass through our broker and through Mosquitto, with the
//! same load generator on the same cores.

mod client;
mod curve;
mod devices;
mod idle;
mod load;
mod outcome;
mod paced;
mod pair;
mod site;
mod stored;

use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::machine;
use outcome::Outcome;
use pair::Pair;

/// Two thousand connections on each side, and some for everything else.
const OPEN_FILES: u64 = 4_000;

/// Measures and prints everything.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-shadow`", binary.display());
    let shadows = stored::wanted()?;
    machine::allow_open_files(OPEN_FILES)?;
    // Both sides of the project bring a provider of cryptography, and rustls must be told which.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = TempDir::with_prefix("otaru-bench-")?;
    println!("{}", machine::description(folder.path())?);
    print_head();

    let mut figures = curve::measure(binary, folder.path()).await?;
    let pair = Pair::start(binary, folder.path(), shadows).await?;
    figures.extend(pair.measure_updates().await?);
    figures.extend(pair.measure_deltas().await?);
    let (site, devices) = pair.end().await?;
    figures.push(idle::measure(site, &devices, folder.path()).await?);
    for figure in figures {
        println!("{figure}");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn print_head() {
    let (connections, per_s) = ("connections", "per second");
    println!("{:50} {connections:>11} {per_s:>10} {:>9} {:>9}", "", "p50 ms", "p99 ms");
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn print_row(what: &str, connections: usize, outcome: &Outcome) {
    let Outcome { per_s, p50, p99 } = outcome;
    let ms = |time: &std::time::Duration| time.as_secs_f64() * 1000.0;
    println!("{what:50} {connections:>11} {per_s:>10.0} {:>9.2} {:>9.2}", ms(p50), ms(p99));
}
