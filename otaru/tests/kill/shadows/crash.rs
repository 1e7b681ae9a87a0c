//! `kill -9` of the server while many connections write.

use super::history::{History, Life};
use super::house::{Credentials, Door, House};
use crate::attack::copy_database;
use crate::chance::Chance;
use anyhow::{Context, Result, bail, ensure};
use otaru_real_fleet::{Mqtt, MqttMessage, MqttOptions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tokio::task::JoinSet;

/// Things that are devices, each written by itself and by one backend.
const DEVICES: usize = 6;

/// Things nobody registered, each written by two backends.
const OTHERS: usize = 10;

/// Updates of one connection that have no answer yet.
const OPEN: u64 = 8;

/// The longest time between a start and a kill.
const LIFE_LIMIT: Duration = Duration::from_millis(700);

/// The longest time a start-up is watched before it is killed as well.
const BIRTH_LIMIT: Duration = Duration::from_millis(400);

/// Between two tries at a server that is dead.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What writers and killer share.
#[derive(Default)]
struct Stage {
    history: History,
    life: AtomicU32,
    is_closing: AtomicBool,
}

/// What happens to the server.
pub(crate) enum Attack {
    Kills {
        kills: u64,
        seed: u64,
    },
    /// Its database is put back to an earlier moment: SQLite's alone.
    Rewind,
}

/// Attacks the server while updates go on; then everything is judged.
pub(crate) async fn run(house: &mut House, attack: Attack) -> Result<()> {
    let stage = Arc::new(Stage::default());
    let mut writers = JoinSet::new();
    let things = admit_writers(house, &stage, &mut writers).await?;
    let attacked = match attack {
        Attack::Kills { kills, seed } => {
            kill_many(house, &stage, kills, Chance::new(seed, 2)).await
        }
        Attack::Rewind => rewind(house, &stage).await,
    };
    stage.is_closing.store(true, SeqCst);
    while let Some(ended) = writers.join_next().await {
        ended.context("a writer panicked")??;
    }
    attacked?;
    for thing in &things {
        stage.history.judge(thing, &house.shadow(thing).await?);
    }
    let (sent, accepted) = stage.history.counts();
    eprintln!("{sent} updates sent, {accepted} accepted");
    ensure!(accepted > things.len(), "hardly anything was accepted");
    let violations = stage.history.violations();
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(())
}

/// Lets two writers loose on each thing.
async fn admit_writers(
    house: &House,
    stage: &Arc<Stage>,
    writers: &mut JoinSet<Result<()>>,
) -> Result<Vec<String>> {
    let mut things = Vec::new();
    for number in 0..DEVICES + OTHERS {
        let is_device = number < DEVICES;
        let thing = format!("{}-{number}", if is_device { "clock" } else { "thing" });
        let own = match is_device {
            true => house.add_device(&thing).await?,
            false => Credentials::Backend,
        };
        let own_name = if is_device { thing.clone() } else { format!("first-{number}") };
        let second = (format!("second-{number}"), Credentials::Backend);
        for (name, credentials) in [(own_name, own), second] {
            let writer = Writer { name, thing: thing.clone(), credentials, door: house.door() };
            writers.spawn(writer.work(stage.clone()));
        }
        things.push(thing);
    }
    Ok(things)
}

async fn kill_many(house: &mut House, stage: &Stage, kills: u64, mut chance: Chance) -> Result<()> {
    for _ in 0..kills {
        tokio::time::sleep(chance.pause(LIFE_LIMIT)).await;
        kill(house, stage).await?;
        if chance.once_in(4) {
            let birth = tokio::time::timeout(chance.pause(BIRTH_LIMIT), house.server.start());
            if let Ok(started) = birth.await {
                started.context("could not start after a kill")?;
            }
            kill(house, stage).await?;
        }
        house.server.start().await.context("could not start after a kill")?;
    }
    // What was sent in the last life is answered, so that the end is not a kill.
    tokio::time::sleep(LIFE_LIMIT).await;
    Ok(())
}

async fn kill(house: &mut House, stage: &Stage) -> Result<()> {
    house.server.kill().await?;
    stage.life.fetch_add(1, SeqCst);
    Ok(())
}

/// What the server accepted in one of its lives is gone, as if it had never been written.
async fn rewind(house: &mut House, stage: &Stage) -> Result<()> {
    let kept = tempfile::tempdir()?;
    tokio::time::sleep(LIFE_LIMIT).await;
    kill(house, stage).await?;
    copy_database(house.server.folder(), kept.path())?;
    house.server.start().await?;
    tokio::time::sleep(LIFE_LIMIT).await;
    kill(house, stage).await?;
    copy_database(kept.path(), house.server.folder())?;
    house.server.start().await?;
    tokio::time::sleep(LIFE_LIMIT).await;
    Ok(())
}

/// Counts in its own member of a thing's shadow.
struct Writer {
    name: String,
    thing: String,
    credentials: Credentials,
    door: Door,
}

impl Writer {
    async fn work(self, stage: Arc<Stage>) -> Result<()> {
        let mut sent = 0;
        while !stage.is_closing.load(SeqCst) {
            let life = stage.life.load(SeqCst);
            let Ok(mqtt) = self.connect().await else {
                tokio::time::sleep(RETRY_EVERY).await;
                continue;
            };
            if life == stage.life.load(SeqCst) {
                self.write(mqtt, life, &stage, &mut sent).await?;
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Mqtt> {
        let options = MqttOptions::clean(&self.name);
        let mut mqtt = self.door.connect(&self.credentials, &options).await?;
        mqtt.subscribe(&[&format!("$aws/things/{}/shadow/update/+", self.thing)], 1).await?;
        Ok(mqtt)
    }

    /// Writes until the connection breaks or the run closes.
    async fn write(&self, mut mqtt: Mqtt, life: Life, stage: &Stage, sent: &mut u64) -> Result<()> {
        let topic = format!("$aws/things/{}/shadow/update", self.thing);
        let (mut open, mut last_version) = (0, 0);
        while !stage.is_closing.load(SeqCst) {
            while open < OPEN {
                (*sent, open) = (*sent + 1, open + 1);
                stage.history.sends(&self.thing, &self.name, *sent);
                mqtt.publish(&topic, self.request(*sent).to_string().as_bytes(), 1);
            }
            let Ok(message) = mqtt.message().await else { return Ok(()) };
            open -= self.see(&message, life, stage, &mut last_version)?;
        }
        Ok(())
    }

    fn request(&self, number: u64) -> Value {
        let (reported, token) = (json!({ &self.name: number }), format!("{}/{number}", self.name));
        let state = json!({ "reported": reported, "desired": { "n": number % 7 } });
        json!({ "state": state, "clientToken": token })
    }

    /// Notes what a message says; how many of its own updates it answers.
    fn see(
        &self,
        message: &MqttMessage,
        life: Life,
        stage: &Stage,
        last_version: &mut u64,
    ) -> Result<u64> {
        let body: Value = serde_json::from_slice(&message.payload)?;
        let token = body["clientToken"].as_str().unwrap_or_default();
        let version = body["version"].as_u64().unwrap_or_default();
        let history = &stage.history;
        match message.topic.rsplit('/').next() {
            Some("accepted") => {
                history.accepted(life, &self.thing, version, token);
                if version <= std::mem::replace(last_version, version) {
                    history.violation(format!("{}: {version} came late", self.thing));
                }
            }
            Some("documents") => {
                for document in [&body["previous"], &body["current"]] {
                    if let Some(version) = document["version"].as_u64() {
                        history.state(&self.thing, version, &document["state"]);
                    }
                }
                return Ok(0);
            }
            Some("rejected") if [429, 500, 503].contains(&body["code"].as_u64().unwrap_or(0)) => {}
            Some("delta") => return Ok(0),
            _ => bail!("{} {body}", message.topic),
        }
        Ok(u64::from(token.split_once('/').is_some_and(|(writer, _)| writer == self.name)))
    }
}
