//! The other side: a shadow service by the project's own rules, and the server behind it.

use otaru_shadow::{
    Change, Document, Rejection, Rules, UpdateRequest, client_token_of, get_accepted,
};
use otaru_wire::{ShadowId, ShadowTopic, ShadowVerb, ThingName};
use serde_json::{Value, json};

use crate::catalogue::catalogue;

/// A message on its way to the device.
pub(crate) type Message = (ShadowTopic, Vec<u8>);

/// The update the server waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Its id.
    pub id: String,
    /// Number of the release.
    pub release: usize,
    /// When it was wished for.
    pub since_ms: u64,
    /// Whether the wish was taken back.
    pub is_withdrawn: bool,
}

/// How an update ended, as the device said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its id.
    pub id: String,
    /// Number of the release.
    pub release: usize,
    /// `confirmed`, `rolled_back`, `failed` or `cancelled`.
    pub outcome: String,
    /// The reason's number.
    pub reason: Option<u64>,
}

/// One device's shadow and its update.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    document: Option<Document>,
    rules: Rules,
    /// The update under way.
    pub(crate) open: Option<Open>,
    /// Every update that ended.
    pub(crate) ends: Vec<End>,
    updates: u32,
}

impl Server {
    /// Wishes for a release, as the server does: id and digest beside the version.
    pub(crate) fn wish(&mut self, release: usize, now_ms: u64) -> Vec<Message> {
        self.updates += 1;
        let id = format!("u-{}", self.updates);
        let found = &catalogue().releases[release];
        let sha256 = otaru_wire::Digest(found.sha256);
        let update = json!({"id": id, "sha256": sha256, "attempt": 1});
        self.open = Some(Open { id, release, since_ms: now_ms, is_withdrawn: false });
        let config = json!({"firmware_version": found.version.as_str(), "level": self.updates});
        self.desire(json!({"config": config, "update": update}), now_ms)
    }

    /// Whether a wish can still be taken back: it is too late once the device said that the
    /// new firmware is in its trial.
    pub(crate) fn may_withdraw(&self, update: &str) -> bool {
        let is_open = self.open.as_ref().is_some_and(|open| open.id == update);
        is_open && self.reported("state").and_then(Value::as_str) != Some("trial")
    }

    /// Takes the wish back: what runs is what is desired.
    pub(crate) fn withdraw(&mut self, now_ms: u64) -> Vec<Message> {
        if let Some(open) = &mut self.open {
            open.is_withdrawn = true;
        }
        let running =
            self.reported("version").and_then(|version| version.as_str().map(String::from));
        self.desire(json!({"config": {"firmware_version": running}, "update": null}), now_ms)
    }

    fn desire(&mut self, desired: Value, now_ms: u64) -> Vec<Message> {
        let request = UpdateRequest::from_state(json!({"desired": desired}), &self.rules);
        let request = request.expect("the server's own wishes are small");
        self.apply(&request, now_ms).expect("the server's own wishes fit")
    }

    /// The answer to a read.
    pub(crate) fn get(&self, payload: &[u8], now_ms: u64) -> Message {
        let token = client_token_of(payload, &self.rules).ok().flatten();
        match &self.document {
            Some(document) => {
                let answer = get_accepted(document, s(now_ms), token.as_deref(), &self.rules);
                (ShadowTopic::Accepted(ShadowVerb::Get), answer)
            }
            None => {
                let thing = ThingName::new("clock-01").expect("a valid name");
                let rejection = Rejection::not_found(&ShadowId { thing, name: None });
                let rejection = rejection.with_token(token.as_deref());
                (ShadowTopic::Rejected(ShadowVerb::Get), rejection.to_mqtt())
            }
        }
    }

    /// What a device's update brings about.
    pub(crate) fn update(&mut self, payload: &[u8], now_ms: u64) -> Vec<Message> {
        let result = UpdateRequest::parse(payload, &self.rules)
            .and_then(|request| self.apply(&request, now_ms));
        match result {
            Ok(messages) => messages,
            Err(rejection) => {
                vec![(ShadowTopic::Rejected(ShadowVerb::Update), rejection.to_mqtt())]
            }
        }
    }

    fn apply(&mut self, request: &UpdateRequest, now_ms: u64) -> Result<Vec<Message>, Rejection> {
        let previous = self.document.take();
        let applied = Document::apply(previous.as_ref(), request, s(now_ms), &self.rules);
        let current = match applied {
            Ok(current) => current,
            Err(rejection) => {
                self.document = previous;
                return Err(rejection);
            }
        };
        let (previous, at_s) = (previous.as_ref(), s(now_ms));
        let change = Change { request, previous, current: &current, at_s };
        let mut messages = Vec::new();
        messages.extend(change.delta(&self.rules).map(|delta| (ShadowTopic::Delta, delta)));
        messages.push((ShadowTopic::Documents, change.documents(&self.rules)));
        let accepted = change.accepted(&self.rules);
        messages.push((ShadowTopic::Accepted(ShadowVerb::Update), accepted));
        self.document = Some(current);
        Ok(messages)
    }

    /// A member of `reported.firmware`.
    pub(crate) fn reported(&self, member: &str) -> Option<&Value> {
        self.document.as_ref()?.reported().get("firmware")?.get(member)
    }

    /// Gives a wish up that was taken back, if the device has not ended it itself.
    pub(crate) fn expire(&mut self, update: &str) -> Option<End> {
        let open = self.open.take_if(|open| open.id == update)?;
        let end =
            End { id: open.id, release: open.release, outcome: "cancelled".into(), reason: None };
        self.ends.push(end.clone());
        Some(end)
    }

    /// The release that desired names.
    pub(crate) fn desired_release(&self) -> Option<usize> {
        let config = self.document.as_ref()?.desired().get("config")?;
        let version = config.get("firmware_version")?.as_str()?;
        catalogue().by_version(version).map(|release| release.number)
    }

    /// Id of the update that desired names.
    pub(crate) fn desired_update(&self) -> &str {
        let update = self.document.as_ref().and_then(|document| document.desired().get("update"));
        update.and_then(|update| update.get("id")?.as_str()).unwrap_or_default()
    }

    /// Notes the end of the open update once the device has said it.
    pub(crate) fn observe(&mut self) -> Option<&End> {
        let open = self.open.as_ref()?;
        let last = self.reported("last")?;
        if last.get("update")?.as_str()? != open.id {
            return None;
        }
        let end = End {
            id: open.id.clone(),
            release: open.release,
            outcome: last.get("outcome")?.as_str()?.to_owned(),
            reason: last.get("reason").and_then(Value::as_u64),
        };
        self.open = None;
        self.ends.push(end);
        self.ends.last()
    }
}

fn s(now_ms: u64) -> i64 {
    1_795_430_400 + (now_ms / 1000) as i64
}
