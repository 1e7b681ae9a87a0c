//! Many connections send all their updates at once.

use super::house::{Credentials, House};
use anyhow::{Context, Result, bail, ensure};
use otaru_real_fleet::{Mqtt, MqttMessage, MqttOptions};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Updates of one connection, all written before the first answer is read.
const EACH: u64 = 40;

/// The first of the connections are devices with certificates.
const DEVICES: u64 = 50;

/// The last of the connections share their things.
const SHARING: u64 = 100;

/// Connections that share one thing.
const SHARERS: u64 = 4;

/// What a slow reader rests between two messages.
const REST: Duration = Duration::from_millis(3);

/// What is done to the database a few times meanwhile.
pub(crate) type Trouble = Arc<dyn Fn() + Send + Sync>;

/// How often there is trouble, if there is any.
const TROUBLES: usize = 4;

/// A debug build on a busy machine, with 100 times as many updates.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// How a client sends and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Ordinary,
    /// Sends at QoS 0.
    Careless,
    /// MQTT 5, with one unacknowledged message at a time.
    OneAtATime,
    /// Reads a message, rests, reads the next; its socket holds few.
    Slow,
    /// Reads nothing until all others are done.
    Late,
}

const MANNERS: [Manner; 5] =
    [Manner::Ordinary, Manner::Careless, Manner::OneAtATime, Manner::Slow, Manner::Late];

/// One connection with its task.
struct Client {
    name: String,
    thing: String,
    manner: Manner,
    mqtt: Mqtt,
}

/// What a client was told.
#[derive(Default)]
struct Told {
    /// By the number of the update: the version, or the code of the refusal.
    answers: BTreeMap<u64, Result<u64, u64>>,
    documents: Vec<u64>,
    deltas: Vec<u64>,
}

/// Sends the burst and judges the answers.
pub(crate) async fn run(house: &House, updates: u64, trouble: Option<Trouble>) -> Result<()> {
    let clients = clients(house, updates / EACH).await?;
    let count = clients.len();
    let (begin, others_done) = (Arc::new(Barrier::new(count)), Arc::new(Barrier::new(count)));
    let options = MqttOptions::clean("watching");
    let mut watching = house.door().connect(&Credentials::Backend, &options).await?;
    for answer in ["accepted", "rejected"] {
        watching.subscribe(&[&format!("$aws/things/+/shadow/update/{answer}")], 1).await?;
    }
    let watching = tokio::spawn(watch(watching, count as u64 * EACH));
    let began = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        let (begin, others_done) = (begin.clone(), others_done.clone());
        tasks.spawn(async move {
            let name = client.name.clone();
            let work = client.work(&begin, &others_done);
            let done = tokio::time::timeout(PATIENCE, work).await;
            done.context("it waits for ever").flatten().with_context(|| name)
        });
    }
    let may_fail = trouble.is_some();
    if let Some(trouble) = trouble {
        for _ in 0..TROUBLES {
            tokio::time::sleep(REST * 100).await;
            let trouble = trouble.clone();
            tokio::task::spawn_blocking(move || trouble()).await?;
        }
    }
    let mut results = Vec::new();
    while let Some(done) = tasks.join_next().await {
        results.push(done??);
    }
    eprintln!("{} updates were answered in {:?}", count as u64 * EACH, began.elapsed());
    let seen = tokio::time::timeout(PATIENCE, watching).await.context("the watcher waits")???;
    judge(house, &results, &seen, may_fail).await
}

async fn clients(house: &House, count: u64) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for number in 0..count {
        let is_alone = number + SHARING < count || number < DEVICES;
        let thing = match number {
            number if number < DEVICES => format!("clock-{number}"),
            number if is_alone => format!("alone-{number}"),
            number => format!("shared-{}", number / SHARERS),
        };
        let manner = MANNERS[number as usize % MANNERS.len()];
        let (name, credentials) = match number < DEVICES {
            true => (thing.clone(), house.add_device(&thing).await?),
            false => (format!("client-{number}"), Credentials::Backend),
        };
        let options = MqttOptions {
            receive_maximum: (manner == Manner::OneAtATime).then_some(1),
            receive_buffer_bytes: (manner == Manner::Slow).then_some(4_096),
            ..MqttOptions::clean(&name)
        };
        let mut mqtt = house.door().connect(&credentials, &options).await?;
        mqtt.subscribe(&[&format!("$aws/things/{thing}/shadow/update/+")], 1).await?;
        clients.push(Client { name, thing, manner, mqtt });
    }
    Ok(clients)
}

impl Client {
    async fn work(mut self, begin: &Barrier, others_done: &Barrier) -> Result<(Client, Told)> {
        begin.wait().await;
        let topic = format!("$aws/things/{}/shadow/update", self.thing);
        let qos = if self.manner == Manner::Careless { 0 } else { 1 };
        for number in 1..=EACH {
            let request = request(&self.name, number).to_string();
            self.mqtt.publish(&topic, request.as_bytes(), qos);
        }
        self.mqtt.flush().await?;
        if self.manner == Manner::Late {
            others_done.wait().await;
        }
        let mut told = Told::default();
        while !told.is_complete() {
            let message = self.mqtt.message().await.with_context(|| told.summary())?;
            told.take(&self.name, &message)?;
            if self.manner == Manner::Slow {
                tokio::time::sleep(REST).await;
            }
        }
        if self.manner != Manner::Late {
            others_done.wait().await;
        }
        Ok((self, told))
    }
}

/// An update: most are good, some hold a version that is not, some make no sense.
fn request(client: &str, number: u64) -> Value {
    let token = format!("{client}/{number}");
    match number % 10 {
        3 => json!({ "state": { "desired": { "n": 0 } }, "version": 9_999, "clientToken": token }),
        6 => json!({ "state": number, "clientToken": token }),
        _ => json!({
            "state": {
                "desired": { "n": number },
                "reported": { "n": number - number % 2, client: number },
            },
            "clientToken": token,
        }),
    }
}

/// Whether the number's update leaves a difference, whoever else writes the thing.
fn opens_delta(number: u64) -> bool {
    number % 2 == 1
}

impl Told {
    fn take(&mut self, client: &str, message: &MqttMessage) -> Result<()> {
        let body: Value = serde_json::from_slice(&message.payload)?;
        let token = body["clientToken"].as_str().context("an answer without a token")?;
        let (of, number) = token.split_once('/').context("a token of ours")?;
        if of != client {
            return Ok(());
        }
        let number: u64 = number.parse()?;
        let version = || body["version"].as_u64().context("a version");
        let kind = message.topic.rsplit('/').next().unwrap_or_default();
        let answer = match kind {
            "accepted" => Ok(version()?),
            "rejected" => Err(body["code"].as_u64().context("a code")?),
            "documents" => {
                self.documents.push(body["current"]["version"].as_u64().context("a version")?);
                return Ok(());
            }
            "delta" => {
                ensure!(body["state"] == json!({ "n": number }), "{number}: {body}");
                self.deltas.push(version()?);
                return Ok(());
            }
            _ => bail!("{message:?}"),
        };
        let before = self.answers.insert(number, answer);
        ensure!(before.is_none(), "update {number} was answered {before:?} and {answer:?}");
        Ok(())
    }

    fn accepted(&self) -> impl Iterator<Item = (u64, u64)> {
        self.answers.iter().filter_map(|(number, answer)| Some((*number, answer.ok()?)))
    }

    fn is_complete(&self) -> bool {
        let accepted = self.accepted().count();
        let open = self.accepted().filter(|(number, _)| opens_delta(*number)).count();
        self.answers.len() as u64 == EACH
            && self.documents.len() == accepted
            && self.deltas.len() == open
    }

    fn summary(&self) -> String {
        let (documents, deltas) = (self.documents.len(), self.deltas.len());
        format!("{} answers, {documents} documents, {deltas} deltas", self.answers.len())
    }
}

/// Somebody who hears all answers: each token once.
async fn watch(mut mqtt: Mqtt, answers: u64) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    while (seen.len() as u64) < answers {
        let body: Value = serde_json::from_slice(&mqtt.message().await?.payload)?;
        let token = body["clientToken"].as_str().context("an answer without a token")?;
        ensure!(seen.insert(token.to_owned()), "the watcher saw {token} twice");
    }
    Ok(seen)
}

/// Every update has one answer, and what was accepted is there.
async fn judge(
    house: &House,
    results: &[(Client, Told)],
    seen: &BTreeSet<String>,
    may_fail: bool,
) -> Result<()> {
    let mut things: BTreeMap<&str, Answers> = BTreeMap::new();
    let mut codes: BTreeMap<u64, u64> = BTreeMap::new();
    for (client, told) in results {
        for (number, answer) in &told.answers {
            ensure!(seen.contains(&format!("{}/{number}", client.name)), "the watcher missed one");
            let good = match (number % 10, answer) {
                // Whoever asks too much at once may be told so.
                (_, Err(429)) | (3, Err(409)) | (6, Err(400)) => true,
                (_, Err(500)) => may_fail,
                (3 | 6, _) => false,
                (_, answer) => answer.is_ok(),
            };
            ensure!(good, "{}: update {number} was answered {answer:?}", client.name);
            let thing = things.entry(&client.thing).or_default();
            match answer {
                Ok(version) => {
                    let is_new = thing.versions.insert(*version);
                    ensure!(is_new, "{}: version {version} was given twice", client.thing);
                }
                Err(code) => {
                    *codes.entry(*code).or_default() += 1;
                    thing.failed += u64::from(*code == 500);
                }
            }
        }
        let in_order = told.accepted().is_sorted_by(|one, next| one.1 < next.1);
        ensure!(in_order, "{}: versions are not in the order of the updates", client.name);
    }
    eprintln!("refused, by code: {codes:?}");
    for (thing, answers) in &things {
        let shadow = house.shadow(thing).await?;
        let version = shadow["version"].as_u64().context("a version")?;
        let Answers { versions, failed } = answers;
        let (last, accepted) = (versions.last().copied().unwrap_or(0), versions.len() as u64);
        // What failed may have happened nevertheless.
        let possible = last..=accepted + failed;
        ensure!(possible.contains(&version), "{thing}: {version}, {failed} failed: {versions:?}");
        for (client, told) in results.iter().filter(|(client, _)| client.thing == **thing) {
            let found = shadow["state"]["reported"][&client.name].as_u64().unwrap_or(0);
            let last = told.accepted().last().map_or(0, |(number, _)| number);
            let later = told.answers.get(&found).filter(|answer| **answer == Err(500));
            let is_there = found == last || found > last && later.is_some();
            ensure!(is_there, "{}: {found} after {last}", client.name);
        }
    }
    Ok(())
}

/// What was said of one thing.
#[derive(Default)]
struct Answers {
    versions: BTreeSet<u64>,
    failed: u64,
}
