//! A device as the specification wants it: it drops what is older than what it handled, reads or
//! is told again when it connects, applies the delta, and reports what it applied.

use std::collections::VecDeque;
use std::time::Duration;

use otaru_real_fleet::{Mqtt, MqttMessage, MqttOptions};
use otaru_test_app::{Device as Provisioned, TestApp};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::model::{Model, merge};
use super::operations::Fate;

/// How long anything may take before the run fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a client is told to come later (MQTT 3.1.1, 3.2.2.3).
const SERVER_UNAVAILABLE: &str = "code: 3";

/// The device, its settings, and its connection.
pub(crate) struct Device {
    provisioned: Provisioned,
    reads: bool,
    mqtt: Option<Mqtt>,
    inbox: VecDeque<MqttMessage>,
    /// What it does by now, kept where no crash reaches.
    pub(crate) config: Value,
    /// The highest version handled on this connection.
    seen: u64,
    tokens: u32,
}

impl Device {
    pub(crate) fn new(provisioned: Provisioned, reads: bool) -> Device {
        let inbox = VecDeque::new();
        Device { provisioned, reads, mqtt: None, inbox, config: json!({}), seen: 0, tokens: 0 }
    }

    pub(crate) fn is_online(&self) -> bool {
        self.mqtt.is_some()
    }

    /// The connection is gone, with all that was not handled.
    pub(crate) fn breaks(&mut self) {
        self.mqtt = None;
        self.inbox.clear();
    }

    /// Stops acknowledging; the connection has to break before many messages have come.
    pub(crate) fn leaves_unacknowledged(&mut self) {
        if let Some(mqtt) = &mut self.mqtt {
            mqtt.acknowledges = false;
        }
    }

    /// Connects, subscribes, and begins anew.
    pub(crate) async fn connects(
        &mut self,
        app: &TestApp,
        model: &mut Model,
        is_lasting: bool,
    ) -> Result<(), String> {
        self.breaks();
        let thing = &self.provisioned.thing;
        let options = MqttOptions { is_clean: !is_lasting, ..MqttOptions::clean(thing) };
        let address = app.mqtt_addresses().mqtts.expect("it listens for devices");
        // As a device does, it comes again while the end of its old connection holds its name.
        let come = async || loop {
            match Mqtt::device(address, self.provisioned.tls(), &options).await {
                Err(why) if why.to_string().contains(SERVER_UNAVAILABLE) => continue,
                came => return came,
            }
        };
        let mut mqtt = timeout(PATIENCE, come()).await.map_err(text)?.map_err(text)?;
        let all = format!("$aws/things/{thing}/shadow/#");
        timeout(PATIENCE, mqtt.subscribe(&[&all], 1)).await.map_err(text)?.map_err(text)?;
        self.mqtt = Some(mqtt);
        self.seen = 0;
        if self.reads {
            let (verb, shadow) = self.ask("get", json!({})).await?;
            if verb == "get/accepted" {
                self.handle(&shadow["state"]["delta"], &shadow["version"], model).await?;
            }
        }
        Ok(())
    }

    /// Something was changed by hand.
    pub(crate) async fn changes(&mut self, patch: &Value, model: &mut Model) -> Result<(), String> {
        merge(&mut self.config, patch);
        self.reports(patch, model).await
    }

    /// Handles what has come; gives how many deltas were handled.
    pub(crate) async fn hears(
        &mut self,
        fates: &[Fate],
        model: &mut Model,
    ) -> Result<usize, String> {
        // Messages of one shadow come in the order they were made, so this one comes last.
        self.ask("get", json!({})).await?;
        let (mut now, mut later) = (Vec::new(), Vec::new());
        let fates = fates.iter().copied().chain(std::iter::repeat(Fate::Handled));
        for (message, fate) in self.inbox.drain(..).zip(fates) {
            match fate {
                Fate::Handled => now.push(message),
                Fate::Lost => {}
                Fate::Twice => now.extend([message.clone(), message]),
                Fate::Late => later.push(message),
            }
        }
        let mut handled = 0;
        for message in now.into_iter().chain(later) {
            let body: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            let own = format!("$aws/things/{}/shadow/", self.provisioned.thing);
            match message.topic.strip_prefix(&own) {
                Some("update/delta") => {
                    self.handle(&body["state"], &body["version"], model).await?;
                    handled += 1;
                }
                Some("delete/accepted") => self.seen = 0,
                _ => {}
            }
        }
        Ok(handled)
    }

    /// Applies a delta and reports it, unless it is no news.
    async fn handle(
        &mut self,
        delta: &Value,
        version: &Value,
        model: &mut Model,
    ) -> Result<(), String> {
        let version = version.as_u64().ok_or("a delta has a version")?;
        if version <= self.seen {
            return Ok(());
        }
        self.seen = version;
        if delta.is_null() {
            return Ok(());
        }
        merge(&mut self.config, delta);
        self.reports(delta, model).await
    }

    async fn reports(&mut self, reported: &Value, model: &mut Model) -> Result<(), String> {
        let state = json!({ "reported": reported });
        let (verb, answer) = self.ask("update", json!({ "state": state })).await?;
        model.update(&state, None).map_err(text)?;
        let expected = ("update/accepted", &json!(model.version));
        if (verb.as_str(), &answer["version"]) != expected {
            return Err(format!("a report was answered {verb} {answer}, expected {expected:?}"));
        }
        Ok(())
    }

    /// Asks and gives the answer; what comes before it is kept.
    async fn ask(&mut self, verb: &str, mut request: Value) -> Result<(String, Value), String> {
        let mqtt = self.mqtt.as_mut().ok_or("the device is offline")?;
        self.tokens += 1;
        let token = format!("device-{}", self.tokens);
        request["clientToken"] = json!(token);
        let prefix = format!("$aws/things/{}/shadow/", self.provisioned.thing);
        mqtt.publish(&format!("{prefix}{verb}"), request.to_string().as_bytes(), 1);
        loop {
            let message = timeout(PATIENCE, mqtt.message()).await;
            let message = message.map_err(|_| format!("no answer to {request}"))?.map_err(text)?;
            let body: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            let topic = message.topic.strip_prefix(&prefix).unwrap_or_default();
            let is_answer = [format!("{verb}/accepted"), format!("{verb}/rejected")];
            if body["clientToken"] == *token && is_answer.iter().any(|answer| answer == topic) {
                return Ok((topic.to_owned(), body));
            }
            self.inbox.push_back(message);
        }
    }
}

pub(crate) fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
