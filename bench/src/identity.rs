//! What it costs to know who asks: tokens, handshakes of devices, passwords.

mod handshakes;
mod sign_in;
mod token;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, firmware};

use crate::figure::Figure;
use crate::machine;

/// A request with a token may take so much more of a processor than one that anybody may send.
const TOKEN_TARGET_US: f64 = 20.0;

/// While people sign in as fast as they can, others wait at most so many times as long as else.
const OTHERS_TARGET: f64 = 3.0;

/// Measures and prints the figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-identity`", binary.display());
    let image = firmware("1.0.0", 100_000, Behaviour::Pass);
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: ("1.0.0", &image),
        devices: 1,
        self_test: Duration::ZERO,
        link_kbps: None,
    };
    let fleet = Fleet::start(&options).await?;
    println!("{}", machine::description(fleet.folder())?);

    let token_us = token::cost_us(&fleet).await?;
    let handshakes = handshakes::measure(&fleet).await?;
    let people = sign_in::measure(&fleet).await?;

    println!("| TLS handshakes with a device's certificate, MQTT | a second | processor of each |");
    println!("| --- | --- | --- |");
    for (name, found) in [("Otaru", &handshakes.ours), ("mosquitto", &handshakes.peer)] {
        println!("| {name} | {:.0} | {:.0} us |", found.per_s, found.processor_us);
    }
    let (ours, peer) = (&handshakes.ours, &handshakes.peer);
    println!("handshake_processor_to_mosquitto {:.3}", ours.processor_us / peer.processor_us);
    println!("sign_ins {:.1} /s", people.per_s);
    println!(
        "others_p99 {:.2} ms alone, {:.2} ms beside sign-ins",
        people.alone.as_secs_f64() * 1000.0,
        people.beside.as_secs_f64() * 1000.0
    );
    println!("{}", Figure::at_most("token_check", token_us, TOKEN_TARGET_US, "us"));
    let waits = people.beside.as_secs_f64() / people.alone.as_secs_f64();
    println!("{}", Figure::ratio("others_p99_beside_sign_ins", waits, OTHERS_TARGET));
    Ok(())
}

/// The process of the server.
fn process_of(fleet: &Fleet) -> Result<u32> {
    let id = fleet.server.program().and_then(|program| program.id());
    id.context("the server does not run")
}
