//! What the check of a token costs: requests with one, less requests that need none.

use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Api, Fleet};

use super::process_of;
use crate::machine::processor_time;

const REQUESTS: u32 = 40_000;
/// Asked before the count begins: whatever is kept is there then.
const WARM_UP: u32 = 2_000;
const AT_ONCE: u32 = 4;

/// Microseconds of a processor that one check takes.
pub(super) async fn cost_us(fleet: &Fleet) -> Result<f64> {
    let made = fleet.console.admin.done(&["token", "create", "--role", "viewer"]).await?;
    let token = made["token"].as_str().context("token create answered no token")?;
    let known = Api::with_token(&fleet.server.url(), token)?;
    // The middle of three: what else the machine does comes and goes.
    let mut costs = Vec::new();
    for _ in 0..3 {
        // Both answer a few words, and the second reads nothing for them but the token.
        let anybody = request_us(fleet, &known, "/healthz").await?;
        let somebody = request_us(fleet, &known, "/api/v1/whoami").await?;
        eprintln!("token: {somebody:.1} us a request, {anybody:.1} us without a check");
        costs.push(somebody - anybody);
    }
    costs.sort_by(f64::total_cmp);
    Ok(costs[1])
}

async fn request_us(fleet: &Fleet, api: &Api, path: &'static str) -> Result<f64> {
    ask(api, path, WARM_UP).await?;
    let id = process_of(fleet)?;
    let begin = processor_time(&[id])?;
    let asking = (0..AT_ONCE).map(|_| ask(api, path, REQUESTS / AT_ONCE));
    futures::future::try_join_all(asking).await?;
    let spent = processor_time(&[id])? - begin;
    Ok(spent.as_secs_f64() * 1e6 / f64::from(REQUESTS))
}

async fn ask(api: &Api, path: &str, times: u32) -> Result<()> {
    for _ in 0..times {
        let answer = api.get(path).await?;
        ensure!(answer.is_acknowledged(), "{path}: {answer:?}");
    }
    Ok(())
}
