//! A shadow service small enough to read, sharing the agent's own merge.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::{ShadowTopic, ShadowVerb};
use serde_json::{Map, Value, json};

use crate::json::reference::{difference, merge};

/// One shadow: what is wished, what is said, how often it changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    pub(super) desired: Map<String, Value>,
    pub(super) reported: Map<String, Value>,
    pub(super) version: u64,
    /// The longest `reported` taken, in bytes.
    pub(super) reported_bytes_max: Option<usize>,
    /// What the next reports are refused with.
    pub(super) refused_with: VecDeque<u64>,
    /// Whether what is reported is accepted, and not kept.
    pub(super) keeps_nothing: bool,
    /// Reads so far.
    pub(super) reads: u32,
    /// Reads to leave without an answer.
    pub(super) reads_lost: u32,
    /// Reads to refuse before one is answered again.
    pub(super) reads_refused: u32,
    /// What they are refused with; 500 if nothing is said.
    pub(super) refusal: Option<u16>,
}

impl Service {
    /// An accepted update: delta, documents and accepted, in that order.
    pub(super) fn change(
        &mut self,
        state: Value,
        token: Option<Value>,
    ) -> Vec<(ShadowTopic, Value)> {
        if let (Some(max), Some(Value::Object(patch))) =
            (self.reported_bytes_max, state.get("reported"))
        {
            let mut reported = self.reported.clone();
            merge(&mut reported, patch);
            if Value::Object(reported).to_string().len() > max {
                let refusal = json!({"code": 413, "message": "too large", "clientToken": token});
                return Vec::from([(ShadowTopic::Rejected(ShadowVerb::Update), refusal)]);
            }
        }
        if state.get("reported").is_some()
            && let Some(code) = self.refused_with.pop_front()
        {
            let refusal = json!({"code": code, "message": "refused", "clientToken": token});
            return Vec::from([(ShadowTopic::Rejected(ShadowVerb::Update), refusal)]);
        }
        for (name, section) in [("desired", &mut self.desired), ("reported", &mut self.reported)] {
            if let Some(Value::Object(patch)) = state.get(name)
                && !(self.keeps_nothing && name == "reported")
            {
                merge(section, patch);
            }
        }
        self.version += 1;
        let Service { desired, reported, version, .. } = self;
        let mut messages = Vec::new();
        let delta = only_desired(desired, reported);
        if !delta.is_empty() {
            let delta = json!({"version": version, "state": delta});
            messages.push((ShadowTopic::Delta, delta));
        }
        let state_now = json!({"desired": desired, "reported": reported});
        let current = json!({"state": state_now, "version": version});
        messages.push((ShadowTopic::Documents, json!({"current": current})));
        let accepted = json!({"state": state, "version": version, "clientToken": token});
        messages.push((ShadowTopic::Accepted(ShadowVerb::Update), accepted));
        messages
    }

    /// The answer to a read.
    pub(super) fn get(&mut self, token: Option<Value>) -> (ShadowTopic, Value) {
        self.reads += 1;
        if self.reads_refused > 0 {
            self.reads_refused -= 1;
            let code = self.refusal.unwrap_or(500);
            let refusal = json!({"code": code, "message": "trouble", "clientToken": token});
            return (ShadowTopic::Rejected(ShadowVerb::Get), refusal);
        }
        let Service { desired, reported, version, .. } = self;
        if *version == 0 {
            let refusal = json!({"code": 404, "message": "No shadow exists", "clientToken": token});
            return (ShadowTopic::Rejected(ShadowVerb::Get), refusal);
        }
        let state = json!({"desired": desired, "reported": reported});
        let document = json!({"state": state, "version": version, "clientToken": token});
        (ShadowTopic::Accepted(ShadowVerb::Get), document)
    }
}

/// The delta: members of desired that reported lacks or holds otherwise.
fn only_desired(desired: &Map<String, Value>, reported: &Map<String, Value>) -> Map<String, Value> {
    let mut delta = Map::new();
    for (key, wanted) in desired {
        match (wanted, reported.get(key)) {
            (Value::Object(wanted), Some(Value::Object(known))) => {
                let inner = only_desired(wanted, known);
                if !inner.is_empty() {
                    delta.insert(key.clone(), Value::Object(inner));
                }
            }
            (wanted, known) if difference(known, wanted).is_some() => {
                delta.insert(key.clone(), wanted.clone());
            }
            _ => {}
        }
    }
    delta
}
