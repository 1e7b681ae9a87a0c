//! A shadow service in memory, and a notebook of what devices say beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use otaru_broker::{
    Broker, Connect, DisconnectReason, Ingress, Message, NotTaken, OpenDelta, Principal, Refused,
    Request, Session,
};
use otaru_shadow::{Change, Document, Rejection, Rules, UpdateRequest, get_accepted};
use otaru_wire::payload::{LogRecord, Progress};
use otaru_wire::{OrganisationId, Phase, ShadowId, ShadowTopic, ShadowVerb, ThingName, Topic};
use serde_json::Value;

/// The time in all shadow documents; no test here is about it.
const NOW_S: i64 = 1_795_430_400;

type Messages = Vec<(ShadowTopic, Vec<u8>)>;

/// Whatever came in, by thing.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) shadows: BTreeMap<ThingName, Document>,
    pub(crate) progress: BTreeMap<ThingName, Vec<Progress>>,
    pub(crate) logs: BTreeMap<ThingName, Vec<LogRecord>>,
    /// Reports to refuse before one is taken again.
    pub(crate) refusals: u32,
    /// Whether a read ends the session instead of being answered.
    pub(crate) hangs_up: bool,
    /// How often a device began a session.
    pub(crate) sessions: u32,
    /// Why those that are over ended.
    pub(crate) ends: Vec<DisconnectReason>,
    /// The phase whose message is not taken before this is empty again: until then the
    /// broker reads nothing more of that session.
    pub(crate) stuck_at: Option<Phase>,
    /// Reports to leave without an answer before one is taken again.
    pub(crate) silences: u32,
}

/// The service behind the broker.
#[derive(Default)]
pub(crate) struct ShadowService {
    pub(crate) heard: Mutex<Heard>,
    pub(crate) broker: OnceLock<Broker>,
}

impl ShadowService {
    /// Changes desired as an application would; the device hears of it.
    pub(crate) async fn desire(&self, thing: &ThingName, desired: Value) {
        let state = serde_json::json!({ "desired": desired });
        let request = UpdateRequest::from_state(state, &Rules::default()).unwrap();
        let shadow = ShadowId { thing: thing.clone(), name: None };
        let messages = self.update(&shadow, &request);
        self.publish(&shadow, messages).await;
    }

    fn update(&self, shadow: &ShadowId, request: &UpdateRequest) -> Messages {
        let mut heard = self.heard.lock().unwrap();
        if request.reported().is_some() && heard.refusals > 0 {
            heard.refusals -= 1;
            let refusal = Rejection::internal().with_token(request.client_token());
            return vec![(ShadowTopic::Rejected(ShadowVerb::Update), refusal.to_mqtt())];
        }
        if request.reported().is_some() && heard.silences > 0 {
            heard.silences -= 1;
            return Messages::new();
        }
        let previous = heard.shadows.get(&shadow.thing).cloned();
        let rules = Rules::default();
        let current = Document::apply(previous.as_ref(), request, NOW_S, &rules).unwrap();
        heard.shadows.insert(shadow.thing.clone(), current.clone());
        let change =
            Change { request, previous: previous.as_ref(), current: &current, at_s: NOW_S };
        let mut messages = Messages::new();
        messages.extend(change.delta(&rules).map(|delta| (ShadowTopic::Delta, delta)));
        messages.push((ShadowTopic::Documents, change.documents(&rules)));
        messages.push((ShadowTopic::Accepted(ShadowVerb::Update), change.accepted(&rules)));
        messages
    }

    fn get(&self, shadow: &ShadowId) -> Messages {
        let heard = self.heard.lock().unwrap();
        vec![match heard.shadows.get(&shadow.thing) {
            Some(document) => {
                let answer = get_accepted(document, NOW_S, None, &Rules::default());
                (ShadowTopic::Accepted(ShadowVerb::Get), answer)
            }
            None => {
                let refusal = Rejection::not_found(shadow).to_mqtt();
                (ShadowTopic::Rejected(ShadowVerb::Get), refusal)
            }
        }]
    }

    async fn publish(&self, shadow: &ShadowId, messages: Messages) {
        let broker = self.broker.wait();
        for (topic, payload) in messages {
            let topic = shadow.topic_name(topic);
            broker.publish(Message { topic, payload: payload.into() }).await;
        }
    }
}

#[async_trait]
impl Ingress for ShadowService {
    async fn authenticate(&self, connect: &Connect) -> Result<Principal, Refused> {
        let thing = ThingName::new(&connect.client_id).map_err(|e| Refused::new(e.to_string()))?;
        Ok(Principal::Device { thing, organisation: OrganisationId::new("default").unwrap() })
    }

    async fn message(&self, request: Request) -> Result<(), NotTaken> {
        match &request.topic {
            Topic::Shadow { shadow, topic: ShadowTopic::Request(ShadowVerb::Update) } => {
                let update = UpdateRequest::parse(&request.payload, &Rules::default()).unwrap();
                let messages = self.update(shadow, &update);
                self.publish(shadow, messages).await;
            }
            Topic::Shadow { shadow, topic: ShadowTopic::Request(ShadowVerb::Get) } => {
                if self.heard.lock().unwrap().hangs_up {
                    // Not waited for: the session ends once this message is done with.
                    let (broker, thing) = (self.broker.wait().clone(), shadow.thing.clone());
                    tokio::spawn(async move { broker.disconnect(thing.as_str()).await });
                    return Ok(());
                }
                let messages = self.get(shadow);
                self.publish(shadow, messages).await;
            }
            Topic::Progress { thing } => {
                let progress = Progress::parse_payload(&request.payload).unwrap();
                while self.heard.lock().unwrap().stuck_at == Some(progress.phase) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let mut heard = self.heard.lock().unwrap();
                heard.progress.entry(thing.clone()).or_default().push(progress);
            }
            Topic::Logs { thing } => {
                let records = LogRecord::parse_payload(&request.payload).unwrap();
                let mut heard = self.heard.lock().unwrap();
                heard.logs.entry(thing.clone()).or_default().extend(records);
            }
            topic => panic!("a device does not publish on {topic:?}"),
        }
        Ok(())
    }

    async fn connected(&self, _: Arc<Session>) {
        self.heard.lock().unwrap().sessions += 1;
    }

    async fn disconnected(&self, _: Arc<Session>, reason: DisconnectReason) {
        self.heard.lock().unwrap().ends.push(reason);
    }

    async fn open_deltas(&self, _: &ThingName) -> Vec<OpenDelta> {
        Vec::new()
    }

    async fn delivered(&self, _: &ThingName, _: &Topic, _: &[u8]) {}
}
