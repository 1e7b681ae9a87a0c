//! Those who use the server while it dies: a publisher with an owner, and devices' other programs.

use crate::chance::Chance;
use crate::ledger::Ledger;
use anyhow::{Context, Result};
use otaru_real_fleet::{Api, Behaviour, Console, firmware};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Small, so that many updates fit a run; still several chunks of 64 KiB.
pub(crate) const IMAGE_BYTES: usize = 320 * 1024;

/// Between two tries at a server that may be dead: fast enough to catch the moment it is back.
const RETRY_EVERY: Duration = Duration::from_millis(50);

/// Between two writes of one program; three devices then write about 50 times a second.
const WRITE_EVERY: Duration = Duration::from_millis(60);

/// The longest wait for updates to end before the next release supersedes them.
const PATIENCE: Duration = Duration::from_secs(12);

/// When all are told to stop.
pub(crate) type Closing = Arc<AtomicBool>;

fn is_open(closing: &Closing) -> bool {
    !closing.load(Ordering::Relaxed)
}

/// A program beside the agent that counts in a named shadow of its device.
pub(crate) async fn count_in_shadow(
    api: Api,
    thing: String,
    ledger: Arc<Ledger>,
    closing: Closing,
) {
    let path = format!("/things/{thing}/shadow?name=ledger");
    for count in 1_u64.. {
        if !is_open(&closing) {
            return;
        }
        ledger.with(|facts| facts.shadow_counts.entry(thing.clone()).or_default().sent = count);
        let state = json!({ "state": { "reported": { "count": count } } });
        if let Ok(answer) = api.post(&path, &state).await
            && answer.is_acknowledged()
        {
            ledger.with(|facts| {
                facts.shadow_counts.entry(thing.clone()).or_default().acknowledged = count;
                if let Some(version) = answer.body["version"].as_u64() {
                    facts.saw_shadow_version(&thing, version);
                }
            });
        }
        tokio::time::sleep(WRITE_EVERY).await;
    }
}

/// The owner changes a setting of one device again and again.
pub(crate) async fn change_phrases(
    owner: Api,
    thing: String,
    ledger: Arc<Ledger>,
    closing: Closing,
) {
    let path = format!("/app/devices/{thing}/settings");
    for number in 1_u64.. {
        if !is_open(&closing) {
            return;
        }
        ledger.with(|facts| facts.phrases.entry(thing.clone()).or_default().sent = number);
        let setting = json!({ "phrase_type": phrase(number) });
        if owner.put(&path, &setting).await.is_ok_and(|answer| answer.is_acknowledged()) {
            ledger.with(|facts| {
                facts.phrases.entry(thing.clone()).or_default().acknowledged = number
            });
        }
        tokio::time::sleep(WRITE_EVERY * 5).await;
    }
}

/// The setting with this number; [`phrase_number`] reads it back.
fn phrase(number: u64) -> String {
    format!("phrase-{number}")
}

/// The number in a phrase, zero when there is none.
pub(crate) fn phrase_number(phrase: &Value) -> u64 {
    phrase.as_str().and_then(|text| text.strip_prefix("phrase-")?.parse().ok()).unwrap_or(0)
}

/// Somebody reads the logs of a device, and remembers what was shown.
pub(crate) async fn read_logs(admin: Api, thing: String, ledger: Arc<Ledger>, closing: Closing) {
    while is_open(&closing) {
        if let Ok(records) = logs(&admin, &thing).await {
            ledger.with(|facts| facts.saw_logs(&thing, records));
        }
        tokio::time::sleep(WRITE_EVERY * 10).await;
    }
}

/// All stored log records of a device, by id.
pub(crate) async fn logs(admin: &Api, thing: &str) -> Result<BTreeMap<i64, Value>> {
    let items = admin.items(&format!("/api/v1/devices/{thing}/logs")).await?;
    items
        .into_iter()
        .map(|mut item| {
            Ok((item["id"].as_i64().context("a log without id")?, item["record"].take()))
        })
        .collect()
}

/// The publisher and the owner: release after release, each installed on every device.
///
/// Every fourth release fails its self-test, every seventh crashes. Some updates
/// are superseded by the next release before they end.
pub(crate) async fn publish_and_install(
    console: &Console,
    things: &[String],
    ledger: &Ledger,
    closing: &Closing,
    mut chance: Chance,
) -> Result<()> {
    for round in 1_u32.. {
        let version = format!("1.0.{}", 4 + round);
        let behaviour = match round {
            round if round % 4 == 0 => Behaviour::Fail,
            round if round % 7 == 0 => Behaviour::Crash,
            _ => Behaviour::Pass,
        };
        if !publish(console, ledger, closing, &version, behaviour).await? {
            return Ok(());
        }
        for thing in things {
            install(&console.owner, ledger, closing, thing, &version).await?;
        }
        let patience = chance.pause(PATIENCE);
        let _ = tokio::time::timeout(patience, wait_for_the_ends(console, things, closing)).await;
    }
    Ok(())
}

/// Publishes until it is acknowledged; false when the run closes first.
pub(crate) async fn publish(
    console: &Console,
    ledger: &Ledger,
    closing: &Closing,
    version: &str,
    behaviour: Behaviour,
) -> Result<bool> {
    let image = firmware(version, IMAGE_BYTES, behaviour);
    let file = console.image_file(version, &image)?;
    ledger.with(|facts| facts.images.insert(version.to_owned(), image));
    while is_open(closing) {
        let output = console.try_publish(version, &file).await?;
        // 5 is a conflict: an earlier try went through and its answer was lost.
        if output.code == 0 || output.code == 5 {
            ledger.with(|facts| facts.published.push(version.to_owned()));
            return Ok(true);
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
    Ok(false)
}

/// Asks for an update until it is acknowledged, or the run closes.
pub(crate) async fn install(
    owner: &Api,
    ledger: &Ledger,
    closing: &Closing,
    thing: &str,
    version: &str,
) -> Result<()> {
    let path = format!("/app/devices/{thing}/update");
    let wish = json!({ "version": version, "when": "now" });
    while is_open(closing) {
        if let Ok(answer) = owner.post(&path, &wish).await {
            if answer.is_acknowledged() {
                let id = answer.body["id"].as_str().map(str::to_owned);
                // The server may die before the last byte of the body, and then the id is not known.
                if let Some(id) = id {
                    let update = (thing.to_owned(), version.to_owned());
                    ledger.with(|facts| facts.updates.insert(id, update));
                }
                return Ok(());
            }
            anyhow::ensure!(!answer.status.is_client_error(), "install of {version}: {answer:?}");
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
    Ok(())
}

/// Waits until the newest update of every device has ended.
async fn wait_for_the_ends(console: &Console, things: &[String], closing: &Closing) {
    for thing in things {
        let path = format!("/app/devices/{thing}/update");
        while is_open(closing) {
            match console.owner.get(&path).await {
                Ok(answer) if answer.is_acknowledged() && !answer.body["outcome"].is_null() => {
                    break;
                }
                _ => tokio::time::sleep(RETRY_EVERY * 2).await,
            }
        }
    }
}
