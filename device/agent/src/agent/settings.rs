//! Settings: every field of desired that differs goes to the product's apply hook,
//! is reported only when applied, and tried again later when not.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;
use serde_json::{Map, Value};

use super::Agent;
use crate::patch::{merge, same_value};
use crate::{Effect, full_jitter};

/// What is in force and what is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    applied: Map<String, Value>,
    wanted: BTreeMap<String, Wanted>,
}

#[derive(Clone, Debug)]
struct Wanted {
    value: Value,
    refusals: u32,
    /// When to hand it to the hook again; `None` while the hook has it.
    retry_at_ms: Option<u64>,
}

impl Settings {
    /// The settings saved before this boot.
    pub(super) fn restored(applied: Map<String, Value>) -> Settings {
        Settings { applied, wanted: BTreeMap::new() }
    }

    pub(super) fn applied(&self) -> &Map<String, Value> {
        &self.applied
    }

    /// Bytes to be stored once everything in the hook's hands and `value` are in force.
    fn bytes_with(&self, name: &str, value: &Value) -> usize {
        let mut whole = self.applied.clone();
        let in_hand = self.wanted.iter().filter(|(_, wanted)| wanted.retry_at_ms.is_none());
        whole.extend(in_hand.map(|(name, wanted)| (name.clone(), wanted.value.clone())));
        whole.insert(name.into(), value.clone());
        stored(&whole).len()
    }

    /// When the next refused setting is due.
    pub(super) fn next_retry_ms(&self) -> Option<u64> {
        self.wanted.values().filter_map(|wanted| wanted.retry_at_ms).min()
    }
}

impl Agent {
    /// Compares desired with what is in force, field by field.
    pub(super) fn follow_settings(&mut self) {
        for (name, desired) in self.shadow.settings.clone() {
            let value = match (self.settings.applied.get(&name), desired) {
                // A delta holds only the members that differ.
                (Some(Value::Object(applied)), Value::Object(patch))
                    if self.shadow.settings_are_differences =>
                {
                    let mut whole = applied.clone();
                    merge(&mut whole, &patch);
                    Value::Object(whole)
                }
                (_, desired) => desired,
            };
            self.want_setting(name, value);
        }
        if !self.shadow.settings_are_differences {
            let desired = &self.shadow.settings;
            self.settings.wanted.retain(|name, _| desired.contains_key(name));
        }
    }

    fn want_setting(&mut self, name: String, value: Value) {
        if self.settings.applied.get(&name).is_some_and(|applied| same_value(applied, &value)) {
            self.settings.wanted.remove(&name);
            return;
        }
        if self.settings.wanted.get(&name).is_some_and(|wanted| same_value(&wanted.value, &value)) {
            return;
        }
        let wanted = Wanted { value, refusals: 0, retry_at_ms: None };
        self.settings.wanted.insert(name.clone(), wanted);
        self.hand_over(name);
    }

    /// Gives a wanted setting to the hook, unless it could not be kept over a restart.
    fn hand_over(&mut self, name: String) {
        let Some(wanted) = self.settings.wanted.get_mut(&name) else { return };
        wanted.retry_at_ms = None;
        let value = wanted.value.clone();
        let (found, max) =
            (self.settings.bytes_with(&name, &value), self.config.settings_bytes_max);
        if found <= max {
            self.effects.push(Effect::ApplySetting { name, value });
        } else {
            self.refuse(name, &format!("{found} bytes of settings, {max} can be kept"));
        }
    }

    pub(super) fn setting_applied(&mut self, name: String, value: Value) {
        if self.settings.wanted.get(&name).is_some_and(|wanted| same_value(&wanted.value, &value)) {
            self.settings.wanted.remove(&name);
        }
        self.settings.applied.insert(name, value);
        self.effects.push(Effect::SaveSettings(stored(&self.settings.applied)));
    }

    pub(super) fn setting_refused(&mut self, name: String) {
        self.refuse(name, "the product refused it");
    }

    fn refuse(&mut self, name: String, why: &str) {
        let (base, cap) = (self.config.retry_base_ms, self.config.retry_cap_ms);
        let Some(wanted) = self.settings.wanted.get_mut(&name) else { return };
        let delay = full_jitter(base, cap, wanted.refusals, self.now.random);
        wanted.refusals = wanted.refusals.saturating_add(1);
        wanted.retry_at_ms = Some(self.now.uptime_ms.saturating_add(delay));
        let message = format!("setting {name} was not applied: {why}; again in {delay} ms");
        self.log(LogLevel::Warn, "CONFIG_REPORT_FAILED", message, Some(Reason::SettingRefused));
    }

    /// Hands refused settings to the hook again when their time has come.
    pub(super) fn retry_settings(&mut self) {
        let now = self.now.uptime_ms;
        let is_due = |wanted: &Wanted| wanted.retry_at_ms.is_some_and(|at| at <= now);
        let wanted = self.settings.wanted.iter();
        let due: Vec<String> =
            wanted.filter(|(_, wanted)| is_due(wanted)).map(|(name, _)| name.clone()).collect();
        due.into_iter().for_each(|name| self.hand_over(name));
    }
}

/// Settings as they are kept.
fn stored(settings: &Map<String, Value>) -> Vec<u8> {
    Value::Object(settings.clone()).to_string().into_bytes()
}
