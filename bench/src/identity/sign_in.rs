//! People who sign in as fast as the server lets them, and what everybody else notices.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Api, Fleet};
use serde_json::json;

const PEOPLE: usize = 8;
const LONG: Duration = Duration::from_secs(10);
/// Between two requests of somebody else, so that it waits for itself as little as possible.
const PAUSE: Duration = Duration::from_millis(5);

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "a lamp behind the harbour";

pub(super) struct People {
    pub(super) per_s: f64,
    /// The wait of one in a hundred requests, while nobody signs in.
    pub(super) alone: Duration,
    /// The same beside those who do.
    pub(super) beside: Duration,
}

pub(super) async fn measure(fleet: &Fleet) -> Result<People> {
    let console = &fleet.console;
    let link = console.admin.done(&["user", "reset-link", EMAIL]).await?;
    let url = link["url"].as_str().context("no link")?;
    let code = url.rsplit(['/', '=', '#']).next().context("no code in the link")?;
    let chosen = json!({ "code": code, "password": PASSWORD });
    let answer = console.admin_api.put("/app/password-reset", &chosen).await?;
    ensure!(answer.is_acknowledged(), "no password could be chosen: {answer:?}");

    let alone = p99(&console.owner, LONG).await?;
    let (is_over, count) = (AtomicBool::new(false), AtomicU32::new(0));
    let begin = Instant::now();
    let signing_in = (0..PEOPLE).map(|_| sign_in(&console.admin_api, &is_over, &count));
    let others = async {
        let beside = p99(&console.owner, LONG).await;
        is_over.store(true, Relaxed);
        beside
    };
    let (signed_in, beside) = tokio::join!(futures::future::try_join_all(signing_in), others);
    signed_in?;
    let per_s = f64::from(count.load(Relaxed)) / begin.elapsed().as_secs_f64();
    Ok(People { per_s, alone, beside: beside? })
}

async fn sign_in(api: &Api, is_over: &AtomicBool, count: &AtomicU32) -> Result<()> {
    let known = json!({ "email": EMAIL, "password": PASSWORD });
    while !is_over.load(Relaxed) {
        let answer = api.post("/app/session", &known).await?;
        ensure!(answer.is_acknowledged(), "somebody could not sign in: {answer:?}");
        count.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// What one in a hundred requests waits.
async fn p99(api: &Api, long: Duration) -> Result<Duration> {
    let mut waits = Vec::new();
    let end = Instant::now() + long;
    while Instant::now() < end {
        let begin = Instant::now();
        let answer = api.get("/app/devices").await?;
        waits.push(begin.elapsed());
        ensure!(answer.is_acknowledged(), "{answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
    waits.sort_unstable();
    Ok(waits[waits.len() * 99 / 100])
}
