//! After the last kill: is everything that was acknowledged still true?

use crate::ledger::{Facts, Ledger};
use crate::people::{self, Closing};
use anyhow::{Context, Result, bail, ensure};
use otaru_real_fleet::{Api, Behaviour, Fleet, flash};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything open ends within this, with server and devices alive.
const SETTLE_LIMIT: Duration = Duration::from_secs(180);

/// Between two looks while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Published after the last kill: every device must still be able to install it.
const LAST_VERSION: &str = "2.0.0";

/// Waits until the fleet is at rest and compares it with the ledger.
pub(crate) async fn judge(fleet: &mut Fleet, ledger: &Ledger) -> Result<()> {
    no_violation(ledger)?;
    let ended = updates_have_ended(fleet, ledger).await?;
    judge_updates(&ended, ledger)?;
    install_last_release(fleet, ledger).await?;
    for device in &fleet.devices {
        let own = Api::with_certificate(&fleet.server.device_url(), device.folder())?;
        judge_named_shadow(&own, device.thing(), ledger).await?;
        judge_settings(&own, device.thing(), ledger).await?;
        judge_logs(&fleet.console.admin_api, device.thing(), ledger).await?;
    }
    let own = Api::with_certificate(&fleet.server.device_url(), fleet.devices[0].folder())?;
    judge_releases(&own, ledger).await?;
    judge_flash(fleet, ledger).await?;
    let status = fleet.server.stop().await?;
    ensure!(status.success(), "the server ended with {status} after SIGTERM");
    no_violation(ledger)
}

/// Nobody was shown what must never be.
fn no_violation(ledger: &Ledger) -> Result<()> {
    let violations = ledger.with(|facts| facts.violations.join("\n"));
    ensure!(violations.is_empty(), "{violations}");
    Ok(())
}

/// All updates by id, once none is open.
async fn updates_have_ended(fleet: &Fleet, ledger: &Ledger) -> Result<BTreeMap<String, Value>> {
    let mut updates = BTreeMap::new();
    let all_ended = async {
        loop {
            updates.clear();
            for device in &fleet.devices {
                let path = format!("/api/v1/updates?thing={}", device.thing());
                for update in fleet.console.admin_api.items(&path).await? {
                    let id = update["id"].as_str().context("an update without id")?.to_owned();
                    updates.insert(id, update);
                }
            }
            if updates.values().all(|update| !update["outcome"].is_null()) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let result: Result<Result<()>, _> = tokio::time::timeout(SETTLE_LIMIT, all_ended).await;
    let Ok(result) = result else {
        let open = updates.values().filter(|update| update["outcome"].is_null());
        bail!("still open after {SETTLE_LIMIT:?}: {:?}", open.collect::<Vec<_>>());
    };
    result?;
    let lost = ledger.with(|facts| lost_updates(facts, &updates));
    ensure!(lost.is_empty(), "acknowledged updates are gone: {lost:?}");
    Ok(updates)
}

fn lost_updates(facts: &Facts, found: &BTreeMap<String, Value>) -> Vec<String> {
    let is_there = |id: &str, thing: &str, version: &str| {
        found.get(id).is_some_and(|update| update["thing"] == thing && update["version"] == version)
    };
    facts
        .updates
        .iter()
        .filter(|(id, (thing, version))| !is_there(id, thing, version))
        .map(|(id, (thing, version))| format!("{id}: {thing} to {version}"))
        .collect()
}

/// Only firmware that passes its self-test is ever confirmed, and every other end says why.
fn judge_updates(updates: &BTreeMap<String, Value>, ledger: &Ledger) -> Result<()> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for update in updates.values() {
        let outcome = update["outcome"].as_str().context("outcome is a word")?;
        let reason = update["reason"]["name"].as_str().unwrap_or("-");
        *counts.entry(format!("{outcome} {reason}")).or_default() += 1;
        let version = update["version"].as_str().context("version is text")?;
        let behaviour =
            ledger.with(|facts| facts.images.get(version).map(|image| Behaviour::of(image)));
        match outcome {
            "confirmed" => {
                ensure!(
                    behaviour == Some(Behaviour::Pass),
                    "a bad release was confirmed: {update}"
                );
            }
            "rolled_back" | "failed" => ensure!(reason != "-", "an end without a reason: {update}"),
            "superseded" => {}
            _ => bail!("an end that nobody caused: {update}"),
        }
    }
    eprintln!("updates: {counts:?}");
    Ok(())
}

/// A fleet that cannot update any more has lost more than data.
async fn install_last_release(fleet: &Fleet, ledger: &Ledger) -> Result<()> {
    let open = Closing::default();
    people::publish(&fleet.console, ledger, &open, LAST_VERSION, Behaviour::Pass).await?;
    for device in &fleet.devices {
        let thing = device.thing();
        people::install(&fleet.console.owner, ledger, &open, thing, LAST_VERSION).await?;
    }
    let ended = updates_have_ended(fleet, ledger).await?;
    for device in &fleet.devices {
        let of_device = |update: &&Value| {
            update["thing"] == device.thing() && update["version"] == LAST_VERSION
        };
        let update = ended.values().find(of_device).context("the last update is not listed")?;
        ensure!(update["outcome"] == "confirmed", "the last release was not installed: {update}");
    }
    Ok(())
}

async fn judge_named_shadow(own: &Api, thing: &str, ledger: &Ledger) -> Result<()> {
    let answer = own.get(&format!("/things/{thing}/shadow?name=ledger")).await?;
    let count = answer.body["state"]["reported"]["count"].as_u64().unwrap_or(0);
    let version = answer.body["version"].as_u64().unwrap_or(0);
    ledger.with(|facts| {
        let counter = facts.shadow_counts.get(thing).copied().unwrap_or_default();
        ensure!(counter.acknowledged > 0, "{thing}: no shadow write was ever acknowledged");
        ensure!(counter.allows(count), "{thing}: the shadow says {count}, {counter:?}");
        facts.saw_shadow_version(thing, version);
        Ok(())
    })
}

/// The wish is not lost, the device took it, and nothing stays open between the two.
async fn judge_settings(own: &Api, thing: &str, ledger: &Ledger) -> Result<()> {
    let path = format!("/things/{thing}/shadow");
    let mut shadow = Value::Null;
    let settled = async {
        loop {
            shadow = own.get(&path).await?.body;
            if shadow["state"]["delta"].is_null() {
                return Result::<()>::Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(SETTLE_LIMIT, settled).await {
        Ok(result) => result?,
        Err(_) => bail!("{thing}: a delta stays open: {shadow}"),
    }
    let state = &shadow["state"];
    let wished = people::phrase_number(&state["desired"]["config"]["phrase_type"]);
    let applied = people::phrase_number(&state["reported"]["config"]["phrase_type"]);
    let counter = ledger.with(|facts| facts.phrases.get(thing).copied().unwrap_or_default());
    ensure!(counter.acknowledged > 0, "{thing}: no setting was ever acknowledged");
    ensure!(counter.allows(wished), "{thing}: the setting says {wished}, {counter:?}");
    ensure!(applied == wished, "{thing}: the setting is {wished}, applied {applied}");
    let runs = &state["reported"]["config"]["firmware_version"];
    ensure!(runs == LAST_VERSION, "{thing}: reports {runs} after {LAST_VERSION}");
    Ok(())
}

async fn judge_logs(admin: &Api, thing: &str, ledger: &Ledger) -> Result<()> {
    let found = people::logs(admin, thing).await?;
    ledger.with(|facts| {
        let seen = facts.logs.remove(thing).unwrap_or_default();
        ensure!(!seen.is_empty(), "{thing}: no log was ever shown");
        let lost: Vec<_> =
            seen.iter().filter(|(id, record)| found.get(id) != Some(record)).collect();
        ensure!(lost.is_empty(), "{thing}: logs once shown are gone: {lost:?}");
        Ok(())
    })
}

/// Every published image comes back byte for byte.
async fn judge_releases(own: &Api, ledger: &Ledger) -> Result<()> {
    let published = ledger.with(|facts| facts.published.clone());
    for version in published {
        let found = own.bytes(&format!("/firmware/clock/{version}.bin")).await?;
        let is_same = ledger.with(|facts| facts.images.get(&version) == Some(&found));
        ensure!(is_same, "release {version} is not what was published: {} bytes", found.len());
    }
    Ok(())
}

/// Power off, and look at the chips themselves.
async fn judge_flash(fleet: &mut Fleet, ledger: &Ledger) -> Result<()> {
    for device in &mut fleet.devices {
        device.assert_runs()?;
        device.kill().await?;
        let found = flash::choices(&device.flash_path())?;
        ensure!(found.on_trial.is_none(), "{}: an image is on trial", device.thing());
        let is_last = ledger.with(|facts| found.stays.is(&facts.images[LAST_VERSION]));
        ensure!(is_last, "{}: does not run {LAST_VERSION}", device.thing());
    }
    Ok(())
}
