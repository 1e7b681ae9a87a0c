//! Shadows under load, and under `kill -9`: no update and no delta is lost.
//!
//! Real clients over real sockets. Some read slowly, some late, some take one message at a time;
//! some are devices with certificates. `OTARU_BURST` is the number of updates of the burst
//! (default 20,000); `OTARU_KILLS` and `OTARU_SEED` are those of the other runs here.

mod burst;
mod crash;
mod history;
mod house;

use crate::{chance, number};
use burst::Trouble;
use crash::Attack;
use house::House;
use otaru_postgres::Database;
use std::sync::Arc;

/// From 500 connections, 40 each.
const UPDATES: u64 = 20_000;

/// Kills of an ordinary run; updates go on all the time.
const KILLS: u64 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn every_update_of_a_burst_is_answered_once_on_sqlite() {
    burst(None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_update_of_a_burst_is_answered_once_on_postgres() {
    let database = Database::fresh();
    burst(Some(database.url()), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_update_of_a_burst_is_answered_when_postgres_goes_away() {
    let database = Arc::new(Database::fresh());
    let ended = database.clone();
    let trouble: Trouble = Arc::new(move || ended.end_sessions());
    burst(Some(database.url()), Some(trouble)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_updates_survive_kills_in_a_burst_on_sqlite() {
    crash(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_updates_survive_kills_in_a_burst_on_postgres() {
    let database = Database::fresh_durable();
    crash(Some(database.url())).await;
}

/// The judge is judged: a server that loses what it accepted does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_updates_are_noticed() {
    let mut house = House::start(None).await.expect("the server starts");
    let verdict = crash::run(&mut house, Attack::Rewind).await;
    let error = verdict.expect_err("the server lost what it accepted").to_string();
    assert!(error.contains("in life 2, after"), "found something else: {error}");
}

async fn burst(database_url: Option<&str>, trouble: Option<Trouble>) {
    let updates = number("OTARU_BURST").unwrap_or(UPDATES);
    let house = House::start(database_url).await.expect("the server starts");
    if let Err(error) = burst::run(&house, updates, trouble).await {
        panic!("{error:#}\nthe server said:\n{}", house.server.last_output());
    }
}

async fn crash(database_url: Option<&str>) {
    let kills = number("OTARU_KILLS").unwrap_or(KILLS);
    let seed = number("OTARU_SEED").unwrap_or_else(chance::any_seed);
    eprintln!("{kills} kills, OTARU_SEED={seed}");
    let mut house = House::start(database_url).await.expect("the server starts");
    if let Err(error) = crash::run(&mut house, Attack::Kills { kills, seed }).await {
        let output = house.server.last_output();
        panic!("OTARU_SEED={seed}: {error:#}\nthe server said:\n{output}");
    }
}
