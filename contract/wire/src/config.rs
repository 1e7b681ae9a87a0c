//! The settings messages of `proto/otaru/v1/config.proto`, and their JSON form.
//!
//! The JSON form is a patch: writing sets the members a message has and leaves
//! every other member of the target alone; reading ignores members it does not know.

use alloc::string::String;
use core::fmt;

use serde_json::{Map, Value};

pub use crate::generated::{
    DeviceConfig, PublishShadowDesired, PublishShadowState, PublishShadowUpdate,
};

/// The member of `desired` and `reported` that holds the settings.
const CONFIG: &str = "config";

/// A known setting whose JSON value has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The member, such as `firmware_version`.
    pub member: &'static str,
    /// The JSON type it must have.
    pub expected: &'static str,
    /// The JSON type it has.
    pub found: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}, found {}", self.member, self.expected, self.found)
    }
}

impl core::error::Error for ConfigError {}

impl DeviceConfig {
    /// Sets the members this message has; all others stay as they are.
    pub fn merge_into(&self, config: &mut Map<String, Value>) {
        let DeviceConfig { firmware_version, phrase_type } = self;
        for (member, value) in
            [("firmware_version", firmware_version), ("phrase_type", phrase_type)]
        {
            if let Some(value) = value {
                config.insert(member.into(), Value::String(value.clone()));
            }
        }
    }

    /// Reads the members this build knows; absent and `null` are the same.
    pub fn from_map(config: &Map<String, Value>) -> Result<DeviceConfig, ConfigError> {
        Ok(DeviceConfig {
            firmware_version: text(config, "firmware_version")?,
            phrase_type: text(config, "phrase_type")?,
        })
    }
}

impl PublishShadowDesired {
    /// Merges the settings into `desired.config`, which is made where it is not an object.
    pub fn merge_into(&self, desired: &mut Map<String, Value>) {
        if let Some(config) = &self.config {
            config.merge_into(object_at(desired, CONFIG));
        }
    }

    /// Reads `desired.config`; a section without one wishes for nothing.
    pub fn from_map(desired: &Map<String, Value>) -> Result<PublishShadowDesired, ConfigError> {
        let config = match desired.get(CONFIG) {
            None | Some(Value::Null) => None,
            Some(Value::Object(config)) => Some(DeviceConfig::from_map(config)?),
            Some(other) => {
                let found = json_type(other);
                return Err(ConfigError { member: CONFIG, expected: "an object", found });
            }
        };
        Ok(PublishShadowDesired { config })
    }
}

impl PublishShadowUpdate {
    /// The update that wishes for `config`.
    pub fn desire(config: DeviceConfig) -> PublishShadowUpdate {
        let desired = PublishShadowDesired { config: Some(config) };
        PublishShadowUpdate { state: Some(PublishShadowState { desired: Some(desired) }) }
    }

    /// Merges the wish into an update request, `{"state":{"desired":{"config":…}}}`.
    pub fn merge_into(&self, request: &mut Map<String, Value>) {
        let Some(state) = &self.state else { return };
        let target = object_at(request, "state");
        if let Some(desired) = &state.desired {
            desired.merge_into(object_at(target, "desired"));
        }
    }
}

/// The object at `member`. What is no object gives way to one, as in a shadow merge.
fn object_at<'a>(map: &'a mut Map<String, Value>, member: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(member).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object just above")
}

fn text(map: &Map<String, Value>, member: &'static str) -> Result<Option<String>, ConfigError> {
    match map.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(ConfigError { member, expected: "a string", found: json_type(other) }),
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
