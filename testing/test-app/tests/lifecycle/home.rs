//! One clock in one home: an owner, a device, the release it runs and a newer one.

use std::time::Duration;

use otaru_test_app::{Client, Device, Firmware, MqttSession, TestApp};
use serde_json::{Value, json};

/// Where the owner installs.
pub(crate) const UPDATE: &str = "/app/devices/clock-01/update";

/// The device's shadow, over HTTP.
pub(crate) const SHADOW: &str = "/things/clock-01/shadow";

/// Size of every test image in bytes.
pub(crate) const SIZE: u64 = 100_000;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Home {
    pub(crate) app: TestApp,
    pub(crate) owner: Client,
    pub(crate) device: Device,
    /// 1.0.4
    pub(crate) old: Firmware,
    /// 1.0.5
    pub(crate) new: Firmware,
}

impl Home {
    /// `clock-01` belongs to Ada and never spoke yet; 1.0.4 and 1.0.5 are published.
    pub(crate) async fn new(app: TestApp) -> Home {
        app.create_product("clock", "device").await;
        let old = app.publish("clock", "1.0.4", 1).await;
        let new = app.publish("clock", "1.0.5", 2).await;
        let device = app.provision("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        Home { app, owner, device, old, new }
    }

    /// The device comes online as one with the agent, running 1.0.4.
    pub(crate) async fn agent(&self) -> MqttSession {
        let mut session = self.device.connect().await;
        session.report(self.runs_old(Value::Null)).await;
        session
    }

    /// The device comes online as one that knows only the shadow topics, running 1.0.4.
    pub(crate) async fn plain(&self) -> MqttSession {
        let mut session = self.device.connect().await;
        session.report(version("1.0.4")).await;
        session
    }

    /// The device says goodbye and is offline.
    pub(crate) async fn leaves(&self, session: MqttSession) {
        session.disconnect().await;
        let offline = async {
            while self.owner.get("/app/devices/clock-01").await.json()["online"] != false {}
        };
        tokio::time::timeout(PATIENCE, offline).await.expect("noticed in time");
    }

    /// A new update of the owner, from now.
    pub(crate) async fn install(&self, version: &str) -> Value {
        let asked = self.owner.post(UPDATE, json!({ "version": version })).await;
        asked.expect_status(201).json()
    }

    /// A new update that the device was handed.
    pub(crate) async fn install_told(&self, session: &mut MqttSession) -> Value {
        self.install("1.0.5").await;
        session.hear("update/delta").await;
        self.until_phase("notified").await
    }

    /// The newest update.
    pub(crate) async fn update(&self) -> Value {
        self.owner.get(UPDATE).await.expect_status(200).json()
    }

    /// How the newest update ended, as `phase outcome(reason)`.
    pub(crate) async fn end(&self) -> String {
        said(&self.update().await)
    }

    /// Waits until the newest update is in a phase: being told is noted after the device was.
    pub(crate) async fn until_phase(&self, phase: &str) -> Value {
        let poll = async {
            loop {
                let update = self.update().await;
                if update["phase"] == phase {
                    return update;
                }
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("never {phase}"))
    }

    /// The `state` of the shadow.
    pub(crate) async fn shadow(&self) -> Value {
        self.app.admin().get(SHADOW).await.expect_status(200).json()["state"].clone()
    }

    /// What desired asks for and what the user's row says: they are one wish.
    pub(crate) async fn wish(&self) -> (Value, Value) {
        let shadow = self.app.admin().get(SHADOW).await.json();
        let desired = shadow["state"]["desired"]["config"]["firmware_version"].clone();
        (desired, self.row().await)
    }

    /// The user's row.
    pub(crate) async fn row(&self) -> Value {
        self.owner.get("/app/user").await.expect_status(200).json()["firmware_version"].clone()
    }

    /// What an agent reports that runs 1.0.4 with this verdict on its last update.
    pub(crate) fn runs_old(&self, last: Value) -> Value {
        let went_back = last["outcome"] == "rolled_back";
        runs(&self.old, "1.0.4", if went_back { "rolled_back" } else { "confirmed" }, last)
    }

    /// What an agent reports that runs 1.0.5.
    pub(crate) fn runs_new(&self, state: &str) -> Value {
        runs(&self.new, "1.0.5", state, Value::Null)
    }

    /// An agent's verdict on an update to 1.0.5.
    pub(crate) fn verdict(&self, update: &Value, outcome: &str, reason: Option<u8>) -> Value {
        json!({
            "update": update["id"],
            "version": "1.0.5",
            "sha256": self.new.sha256(),
            "outcome": outcome,
            "reason": reason,
        })
    }

    /// All that an owner's or operator's request could have changed.
    pub(crate) async fn everything(&self) -> Value {
        let admin = self.app.admin();
        let mut all = json!({ "user": self.owner.get("/app/user").await.json() });
        for path in [
            "/api/v1/devices",
            "/api/v1/updates",
            "/api/v1/users",
            "/api/v1/products/clock/releases",
            "/api/v1/devices/clock-01/logs",
            SHADOW,
        ] {
            all[path] = admin.get(path).await.json();
        }
        // The answer's own time and name, not the document's.
        for own in ["timestamp", "traceId"] {
            all[SHADOW].as_object_mut().expect("an object").remove(own);
        }
        all
    }
}

/// `reported` of an agent.
pub(crate) fn runs(firmware: &Firmware, version: &str, state: &str, last: Value) -> Value {
    let mut reported = json!({
        "firmware": {
            "sha256": firmware.sha256(),
            "version": version,
            "slot": "ota_0",
            "state": state,
            "last": last,
        },
    });
    if state != "trial" {
        reported["config"] = json!({ "firmware_version": version });
    }
    reported
}

/// `reported` of a plain client.
pub(crate) fn version(version: &str) -> Value {
    json!({ "config": { "firmware_version": version } })
}

/// A progress message on 1.0.5, first attempt.
pub(crate) fn progress(phase: &str, done: u64) -> Value {
    json!({ "version": "1.0.5", "phase": phase, "done": done, "total": SIZE, "attempt": 1 })
}

/// An update as `phase outcome(reason)`.
pub(crate) fn said(update: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("open").to_owned();
    let mut said = format!("{} {}", text(&update["phase"]), text(&update["outcome"]));
    if let Some(reason) = update["reason"]["name"].as_str() {
        said += &format!("({reason})");
    }
    if update["cancel_requested"] == true {
        said += " cancelling";
    }
    said
}
