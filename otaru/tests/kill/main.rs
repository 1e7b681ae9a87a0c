//! `kill -9` of a real server and real devices at random moments.
//!
//! While firmware is published and installed, settings change and shadows are
//! written, processes die at seeded random moments. What the server
//! acknowledged is written down, and at the end all of it must still be true.
//!
//! `OTARU_KILLS` is the number of kills (default 20), `OTARU_SEED` repeats a run:
//! the same choices, although the machine's own timing differs.

mod attack;
mod campaign;
mod chance;
mod ledger;
mod people;
mod shadows;
mod verdict;

use campaign::Campaign;
use otaru_postgres::Database;
use std::path::Path;

/// Kills of an ordinary run. The long one asks for 200 and more.
const KILLS: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    run(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_on_postgres() {
    let database = Database::fresh_durable();
    run(Some(database.url())).await;
}

/// The judge is judged: a server that loses what it said does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_work_is_noticed() {
    let binary = Path::new(env!("CARGO_BIN_EXE_otaru"));
    let mut campaign = Campaign::start(binary, None, 1).await.expect("the fleet starts");
    let verdict = campaign.run_with_a_server_that_forgets().await;
    let error = verdict.expect_err("the server lost what it acknowledged").to_string();
    assert!(error.contains("shadow of clock-0"), "found something else: {error}");
}

async fn run(database_url: Option<&str>) {
    let kills = number("OTARU_KILLS").map_or(KILLS, |kills| u32::try_from(kills).expect("a count"));
    let seed = number("OTARU_SEED").unwrap_or_else(chance::any_seed);
    eprintln!("{kills} kills, OTARU_SEED={seed}");

    let binary = Path::new(env!("CARGO_BIN_EXE_otaru"));
    let mut campaign = Campaign::start(binary, database_url, seed).await.expect("the fleet starts");
    if let Err(error) = campaign.run(kills).await {
        let kept = campaign.keep();
        panic!("OTARU_SEED={seed}: {error:#}\neverything is kept in {}", kept.display());
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, found {text:?}")))
}
