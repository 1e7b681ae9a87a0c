//! Random histories of shadows, compared with a model after each step.
//!
//! An app writes, deletes and reads; a device hears of it over a connection that breaks, with
//! messages that are lost, late or there twice; the server ends and starts again. Whatever the
//! app is told is what the model says. When all of it stops, the device does what is desired.
//!
//! `OTARU_HISTORIES` is the number of histories (default 40), `OTARU_SEED` repeats them. What fails is
//! made as short as it can be, and printed.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use otaru_real_fleet::{Mqtt, MqttOptions};
use otaru_store::StoreError;
use otaru_test_app::{Database, TestApp};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::device::{Device, PATIENCE, text};
use super::model::{Model, delta};
use super::operations::{Guard, Operation, Scenario, scenario};

/// Histories of an ordinary run; each is a thing of its own on one server.
const HISTORIES: u32 = 40;

/// Rounds of hearing in which a device must be done: a report answers each delta, so one is enough
/// when nothing is lost.
const ROUNDS: usize = 3;

#[test]
fn shadows_do_as_the_model_says_on_sqlite() {
    run(Database::Sqlite);
}

#[test]
fn shadows_do_as_the_model_says_on_postgres() {
    run(Database::Postgres);
}

fn run(database: Database) {
    let cases =
        number("OTARU_HISTORIES").map_or(HISTORIES, |cases| u32::try_from(cases).expect("a count"));
    let seed = number("OTARU_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed") >> 44);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The server's parts go as they came: within it.
    let _within = runtime.enter();
    let app = runtime.block_on(async {
        let app = TestApp::start(database).await;
        app.create_product("clock", "device").await;
        app
    });
    let (app, things) = (RefCell::new(app), Cell::new(0));
    let outcome = runner.run(&scenario(), |scenario| {
        things.set(things.get() + 1);
        let thing = format!("clock-{}", things.get());
        let mut app = app.borrow_mut();
        let history = History::run(&mut app, &thing, &scenario);
        runtime.block_on(history).map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("OTARU_SEED={seed}: {error}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, found {text:?}")))
}

/// One thing, what becomes of it, and what should.
struct History<'a> {
    app: &'a mut TestApp,
    thing: String,
    backend: Mqtt,
    device: Device,
    classic: Model,
    named: Model,
    tokens: u32,
}

impl<'a> History<'a> {
    async fn run(app: &'a mut TestApp, thing: &str, scenario: &Scenario) -> Result<(), String> {
        let provisioned = app.provision(thing, "clock").await;
        let backend = connect(app, thing).await?;
        let device = Device::new(provisioned, scenario.reads);
        let thing = thing.to_owned();
        let (classic, named) = (Model::default(), Model::default());
        let mut history = History { app, thing, backend, device, classic, named, tokens: 0 };
        for (step, operation) in scenario.operations.iter().enumerate() {
            // Time goes on, so that nothing is too much at once.
            history.app.advance(Duration::from_secs(1));
            let done = history.step(operation).await;
            done.map_err(|error| format!("step {step}, {operation:?}: {error}"))?;
        }
        history.comes_to_rest(scenario.is_lasting_at_the_end).await
    }

    async fn step(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Update { is_named, state, guard, is_sent_twice } => {
                let times = if *is_sent_twice { 2 } else { 1 };
                self.update(*is_named, state, *guard, times).await
            }
            Operation::Delete { is_named } => self.delete(*is_named).await,
            Operation::Get { is_named } => self.get(*is_named).await,
            Operation::Change(patch) if self.device.is_online() => {
                self.device.changes(patch, &mut self.classic).await
            }
            Operation::Hear(fates) if self.device.is_online() => {
                self.device.hears(fates, &mut self.classic).await.map(drop)
            }
            Operation::Change(_) | Operation::Hear(_) => Ok(()),
            Operation::Break { is_lasting, leaves_unacknowledged } => {
                if *leaves_unacknowledged && self.device.is_online() {
                    self.device.leaves_unacknowledged();
                    self.device.hears(&[], &mut self.classic).await?;
                }
                self.device.connects(self.app, &mut self.classic, *is_lasting).await
            }
            Operation::Leave { is_lasting } => {
                self.device.connects(self.app, &mut self.classic, *is_lasting).await?;
                self.device.breaks();
                Ok(())
            }
            Operation::BreakApp => {
                self.backend = connect(self.app, &self.thing).await?;
                Ok(())
            }
            Operation::Crash { open } => self.crash(open.as_ref()).await,
        }
    }

    async fn update(
        &mut self,
        is_named: bool,
        state: &Value,
        guard: Guard,
        times: usize,
    ) -> Result<(), String> {
        let model = self.model(is_named);
        let guard = match guard {
            // What the version of a shadow that is gone counts as is nobody's business.
            Guard::Right if model.state.is_none() && model.version > 0 => None,
            Guard::Right => Some(model.version),
            Guard::Wrong => Some(model.version + 1_000),
            Guard::None => None,
        };
        let mut request = json!({ "state": state });
        if let Some(guard) = guard {
            request["version"] = json!(guard);
        }
        let token = self.send(is_named, "update", request, times);
        for _ in 0..times {
            let before = self.model(is_named).clone();
            let expected = self.model(is_named).update(state, guard);
            let told = self.answer(is_named, "update", &token).await?;
            let model = self.model(is_named);
            match expected {
                Ok(()) => told.agrees_with_update(state, &before, model)?,
                Err(code) => told.is_refusal(code)?,
            }
        }
        Ok(())
    }

    async fn delete(&mut self, is_named: bool) -> Result<(), String> {
        let token = self.send(is_named, "delete", json!({}), 1);
        let told = self.answer(is_named, "delete", &token).await?;
        match self.model(is_named).delete() {
            Ok(version) => same(&told.answer["version"], &json!(version), "deleted version"),
            Err(code) => told.is_refusal(code),
        }
    }

    async fn get(&mut self, is_named: bool) -> Result<(), String> {
        let token = self.send(is_named, "get", json!({}), 1);
        let told = self.answer(is_named, "get", &token).await?;
        let model = self.model(is_named);
        match document(model) {
            Some(document) => {
                same(&told.answer["state"], &document, "state")?;
                same(&told.answer["version"], &json!(model.version), "version")
            }
            None => told.is_refusal(404),
        }
    }

    /// Ends the server and starts it again; both connections are gone.
    async fn crash(&mut self, open: Option<&Value>) -> Result<(), String> {
        if let Some(state) = open {
            let topic = format!("{}update", self.prefix(false));
            let request = json!({ "state": state }).to_string();
            let sent = timeout(PATIENCE, self.backend.publish_and_wait(&topic, request.as_bytes()));
            sent.await.map_err(text)?.map_err(text)?;
            // One writer does all in order: what was sent before this is stored.
            self.app.store.write(|_| Ok::<_, StoreError>(())).await.map_err(text)?;
            self.classic.update(state, None).map_err(text)?;
        }
        self.device.breaks();
        self.app.restart().await;
        self.backend = connect(self.app, &self.thing).await?;
        self.get(false).await?;
        self.get(true).await
    }

    /// Nothing happens any more, and the device does what is desired.
    async fn comes_to_rest(&mut self, is_lasting: bool) -> Result<(), String> {
        self.device.connects(self.app, &mut self.classic, is_lasting).await?;
        for _ in 0..ROUNDS {
            self.device.hears(&[], &mut self.classic).await?;
        }
        self.get(false).await?;
        self.get(true).await?;
        if let Some(open) = self.classic.delta() {
            return Err(format!("the delta {open} stays open"));
        }
        let state = self.classic.state.clone().unwrap_or_default();
        let undone = state.get("desired").and_then(|all| delta(all, Some(&self.device.config)));
        match undone {
            Some(undone) => Err(format!("the device did not do {undone}")),
            None => Ok(()),
        }
    }

    fn model(&mut self, is_named: bool) -> &mut Model {
        if is_named { &mut self.named } else { &mut self.classic }
    }

    fn prefix(&self, is_named: bool) -> String {
        let name = if is_named { "name/cfg/" } else { "" };
        format!("$aws/things/{}/shadow/{name}", self.thing)
    }

    fn send(&mut self, is_named: bool, verb: &str, mut request: Value, times: usize) -> String {
        self.tokens += 1;
        let token = format!("app-{}", self.tokens);
        request["clientToken"] = json!(token);
        let topic = format!("{}{verb}", self.prefix(is_named));
        for _ in 0..times {
            self.backend.publish(&topic, request.to_string().as_bytes(), 1);
        }
        token
    }

    /// All that is said about one request, up to its answer.
    async fn answer(&mut self, is_named: bool, verb: &str, token: &str) -> Result<Told, String> {
        let prefix = self.prefix(is_named);
        let mut told = Told::default();
        loop {
            let message = timeout(PATIENCE, self.backend.message()).await;
            let message = message.map_err(|_| format!("no answer to {token}"))?.map_err(text)?;
            let body: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            let Some(topic) = message.topic.strip_prefix(&prefix) else { continue };
            if body["clientToken"] != token || topic == verb {
                continue;
            }
            match topic.strip_prefix(verb) {
                Some("/accepted") => (told.is_accepted, told.answer) = (true, body),
                Some("/rejected") => told.answer = body,
                Some("/delta") => told.deltas.push(body),
                Some("/documents") => told.documents.push(body),
                _ => return Err(format!("{} {body}", message.topic)),
            }
            if told.answer != Value::Null {
                return Ok(told);
            }
        }
    }
}

/// What was said about one request.
#[derive(Debug, Default)]
struct Told {
    is_accepted: bool,
    answer: Value,
    deltas: Vec<Value>,
    documents: Vec<Value>,
}

impl Told {
    fn agrees_with_update(
        &self,
        patch: &Value,
        before: &Model,
        after: &Model,
    ) -> Result<(), String> {
        if !self.is_accepted {
            return Err(format!("refused: {}", self.answer));
        }
        let version = json!(after.version);
        same(&self.answer["version"], &version, "accepted version")?;
        same(&self.answer["state"], patch, "echo")?;
        let delta: Vec<Value> = after.delta().into_iter().collect();
        let told: Vec<Value> = self.deltas.iter().map(|delta| delta["state"].clone()).collect();
        same(&told, &delta, "deltas")?;
        let [documents] = &self.documents[..] else {
            return Err(format!("documents came {} times", self.documents.len()));
        };
        same(&documents["current"]["state"], &json!(after.state), "current state")?;
        same(&documents["previous"]["state"], &json!(before.state), "previous state")?;
        let versions = [&documents["current"]["version"]].into_iter();
        let mut versions = versions.chain(self.deltas.iter().map(|delta| &delta["version"]));
        match versions.find(|found| **found != version) {
            Some(other) => Err(format!("version {other} beside {version}")),
            None => Ok(()),
        }
    }

    fn is_refusal(&self, code: u64) -> Result<(), String> {
        same(&self.answer["code"], &json!(code), "code")?;
        same(&(self.deltas.len(), self.documents.len()), &(0, 0), "messages beside a refusal")
    }
}

/// What `get/accepted` has as state.
fn document(model: &Model) -> Option<Value> {
    let mut document = model.state.clone()?;
    if let Some(delta) = model.delta() {
        document["delta"] = delta;
    }
    Some(document)
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found:?}, expected {expected:?}"))
}

/// The app's connection, which hears all of the thing's shadows.
async fn connect(app: &TestApp, thing: &str) -> Result<Mqtt, String> {
    let address = app.mqtt_addresses().plain.expect("it listens for backends");
    let options = MqttOptions::clean(&format!("app-of-{thing}"));
    let mut mqtt = Mqtt::backend(address, &options).await.map_err(text)?;
    let all = format!("$aws/things/{thing}/shadow/#");
    mqtt.subscribe(&[&all], 1).await.map_err(text)?;
    Ok(mqtt)
}
