//! Whatever happens in whatever order, an update comes to an end that fits.

use std::ops::RangeInclusive;

use otaru_test_app::{Database, MqttSession, TestApp};
use serde_json::{Value, json};

use super::home::{DAY, HOUR, Home, MINUTE, SHADOW, UPDATE, runs, version};

/// Events of a history.
const EVENTS: usize = 14;

const PHASES: [&str; 6] =
    ["waiting", "notified", "downloading", "verifying", "restarting", "testing"];
const OUTCOMES: [&str; 4] = ["confirmed", "failed", "rolled_back", "cancelled"];

/// xorshift64*: a history is its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}

struct History {
    home: Home,
    chance: Chance,
    device: Option<MqttSession>,
    is_agent: bool,
}

impl History {
    /// What the device reports now.
    fn report(&mut self, update: &Value) -> Value {
        let running = self.chance.one_of(&["1.0.4", "1.0.5"]);
        if !self.is_agent {
            return version(running);
        }
        let state = self.chance.one_of(&["confirmed", "confirmed", "trial"]);
        let firmware = if running == "1.0.4" { &self.home.old } else { &self.home.new };
        let outcome = self.chance.one_of(&OUTCOMES);
        let last = match self.chance.below(3) {
            0 => Value::Null,
            _ => self.home.verdict(update, outcome, Some(33)),
        };
        runs(firmware, running, state, last)
    }

    async fn next(&mut self) {
        let update = self.home.owner.get(UPDATE).await.json();
        let kind = self.chance.below(12);
        let said = match kind {
            0..=2 => {
                let version = self.chance.one_of(&["1.0.5", "1.0.5", "1.0.6", "9.9.9"]);
                let when = self.chance.one_of(&["now", "now", "now", "tonight"]);
                let body = json!({ "version": version, "when": when });
                let answer = self.home.owner.post(UPDATE, body.clone()).await;
                format!("install {body} {}", answer.status())
            }
            3 => format!("cancel {}", self.home.owner.delete(UPDATE).await.status()),
            4 => {
                let by = self.chance.one_of(&[MINUTE, 7 * MINUTE, HOUR, DAY]);
                self.home.app.let_pass(by).await;
                format!("{by:?} pass")
            }
            5 => {
                let wish = self.chance.one_of(&["1.0.4", "1.0.5", "1.0.6"]);
                let update = json!({ "state": { "desired": version(wish) } });
                self.home.app.admin().post(SHADOW, update).await.expect_status(200);
                format!("wish {wish}")
            }
            6 => match self.device.take() {
                Some(device) => {
                    device.disconnect().await;
                    "goes".to_owned()
                }
                None => {
                    self.device = Some(self.home.device.connect().await);
                    "comes".to_owned()
                }
            },
            7..=9 => {
                let report = self.report(&update);
                let device = self.connected().await;
                device.report(report.clone()).await;
                format!("reports {report}")
            }
            _ if self.is_agent => {
                let progress = json!({
                    "version": self.chance.one_of(&["1.0.5", "1.0.6"]),
                    "phase": self.chance.one_of(&PHASES),
                    "done": self.chance.below(50_000),
                    "total": 100_000,
                    "attempt": 1 + self.chance.below(2),
                });
                self.connected().await.progress(progress.clone()).await;
                format!("progress {progress}")
            }
            _ => {
                let image = self.home.device.https.get("/firmware/clock/1.0.5.bin").await;
                format!("fetches {}", image.status())
            }
        };
        eprintln!("{said}");
    }

    async fn connected(&mut self) -> &mut MqttSession {
        if self.device.is_none() {
            self.device = Some(self.home.device.connect().await);
        }
        self.device.as_mut().expect("just connected")
    }

    /// However long nothing is heard: an update comes to an end once the device is there.
    async fn ends(&mut self) {
        let mut update = self.home.owner.get(UPDATE).await.json();
        // What was put off begins, then is told, and then goes silent.
        for _ in 0..10 {
            if update["id"].is_null() || !update["outcome"].is_null() {
                break;
            }
            self.connected().await.ask("get", json!({})).await;
            self.home.app.let_pass(40 * DAY).await;
            update = self.home.owner.get(UPDATE).await.json();
        }
        assert!(update["id"].is_null() || !update["outcome"].is_null(), "{update}");
        self.says_what_it_runs().await;
        let update = self.home.owner.get(UPDATE).await.json();
        let shadow = self.home.app.admin().get(SHADOW).await.json()["state"].clone();
        if update["outcome"] == "vanished" {
            return;
        }
        let device = self.home.app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(shadow["desired"].get("update"), None, "{shadow}");
        assert_eq!(shadow["reported"].get("update"), None, "{shadow}");
        let wish = &shadow["desired"]["config"]["firmware_version"];
        if !wish.is_null() {
            assert_eq!(*wish, device["running"]["version"], "{update} {shadow}");
            assert_eq!(*wish, self.home.row().await, "{update} {shadow}");
        }
    }

    /// As after every connection: what runs, confirmed by now.
    async fn says_what_it_runs(&mut self) {
        let device = self.home.app.admin().get("/api/v1/devices/clock-01").await.json();
        let running = device["running"]["version"].as_str().unwrap_or("1.0.4").to_owned();
        let report = match (self.is_agent, running.as_str()) {
            (false, running) => version(running),
            (true, "1.0.5") => self.home.runs_new("confirmed"),
            (true, _) => self.home.runs_old(Value::Null),
        };
        self.connected().await.report(report).await;
    }

    /// Every change of the shadow, each one above the last.
    async fn versions_rise_by_one(&mut self, watcher: &mut MqttSession) {
        let documents = watcher.heard_until_now("update/documents").await;
        let mut last = 0;
        for change in documents {
            last += 1;
            assert_eq!(change["current"]["version"], last, "{change}");
        }
    }
}

async fn every_history_ends_with_what_runs(database: Database, seeds: RangeInclusive<u64>) {
    for seed in seeds {
        let home = Home::new(TestApp::start(database).await).await;
        home.app.publish("clock", "1.0.6", 3).await;
        let mut watcher = home.app.backend("watcher").await;
        watcher.watch("clock-01").await;
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let is_agent = chance.below(3) > 0;
        eprintln!("history {seed}, agent: {is_agent}");
        let mut history = History { home, chance, device: None, is_agent };
        for _ in 0..EVENTS {
            history.next().await;
        }
        history.ends().await;
        history.versions_rise_by_one(&mut watcher).await;
    }
}

#[tokio::test]
async fn every_history_ends_with_what_runs_on_sqlite() {
    every_history_ends_with_what_runs(Database::Sqlite, 1..=16).await;
}

#[tokio::test]
async fn every_history_ends_with_what_runs_on_postgres() {
    every_history_ends_with_what_runs(Database::Postgres, 1..=4).await;
}
