//! The messages of `proto/otaru/v1/notifications.proto`, made from the events of the log.
//!
//! An event keeps its JSON body in the log. Here it becomes a message with fields; what has no
//! message, or another body than this build knows, becomes an [`OtherEvent`] and is not lost.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use crate::generated::listen_updates_response::Event;
pub use crate::generated::setting_value::Value as SettingKind;
pub use crate::generated::{
    DeviceChanged, DeviceOffline, DeviceOnline, FirmwareAvailable, ListenUpdatesRequest,
    ListenUpdatesResponse, OtherEvent, Reason, SettingValue, SettingsChanged, Update,
};

/// The path of the one call of the service.
pub const LISTEN_UPDATES_PATH: &str = "/otaru.v1.NotificationService/ListenUpdates";

impl ListenUpdatesResponse {
    /// The first message of a stream: what follows comes after entry `after` of the log.
    pub fn place(after: i64) -> ListenUpdatesResponse {
        ListenUpdatesResponse { id: Some(after), event: None }
    }

    /// A message that only says that the stream lives.
    pub fn sign_of_life() -> ListenUpdatesResponse {
        ListenUpdatesResponse { id: None, event: None }
    }

    /// The event `kind` with its JSON body.
    pub fn event(id: Option<i64>, kind: &str, body: &str) -> ListenUpdatesResponse {
        let event = typed(kind, body).unwrap_or_else(|| {
            Event::Other(OtherEvent { kind: kind.to_owned(), json: body.to_owned() })
        });
        ListenUpdatesResponse { id, event: Some(event) }
    }
}

fn typed(kind: &str, body: &str) -> Option<Event> {
    match kind {
        "firmware_available" => read(body).map(Event::FirmwareAvailable),
        "update_changed" => read(body).map(Event::UpdateChanged),
        "update_finished" => read(body).map(Event::UpdateFinished),
        "settings_changed" => read(body).map(Event::SettingsChanged),
        "device_online" => read(body).map(Event::DeviceOnline),
        "device_offline" => read(body).map(Event::DeviceOffline),
        "device_changed" => read(body).map(Event::DeviceChanged),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Option<T> {
    serde_json::from_str(body).ok()
}

impl From<Value> for SettingValue {
    fn from(value: Value) -> SettingValue {
        let value = match value {
            Value::Null => None,
            Value::Bool(boolean) => Some(SettingKind::Boolean(boolean)),
            Value::String(text) => Some(SettingKind::Text(text)),
            Value::Number(number) => Some(match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => SettingKind::Integer(integer),
                // Too large for an int64, and a double would be another number.
                (None, Some(_)) => SettingKind::Json(number.to_string()),
                (None, None) => number
                    .as_f64()
                    .map_or(SettingKind::Json(number.to_string()), SettingKind::Number),
            }),
            other @ (Value::Array(_) | Value::Object(_)) => {
                Some(SettingKind::Json(other.to_string()))
            }
        };
        SettingValue { value }
    }
}

impl From<&SettingValue> for Value {
    fn from(value: &SettingValue) -> Value {
        match &value.value {
            None => Value::Null,
            Some(SettingKind::Boolean(boolean)) => Value::from(*boolean),
            Some(SettingKind::Integer(integer)) => Value::from(*integer),
            Some(SettingKind::Number(number)) => Value::from(*number),
            Some(SettingKind::Text(text)) => Value::from(text.as_str()),
            Some(SettingKind::Json(json)) => serde_json::from_str(json).unwrap_or_default(),
        }
    }
}

impl<'de> Deserialize<'de> for SettingValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SettingValue, D::Error> {
        Value::deserialize(deserializer).map(SettingValue::from)
    }
}

impl Serialize for SettingValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::from(self).serialize(serializer)
    }
}

impl Event {
    /// The event's name and JSON body, as the other streams have them.
    pub fn to_json(&self) -> (String, Value) {
        let (kind, body) = match self {
            Event::FirmwareAvailable(body) => ("firmware_available", json(body)),
            Event::UpdateChanged(body) => ("update_changed", json(body)),
            Event::UpdateFinished(body) => ("update_finished", json(body)),
            Event::SettingsChanged(body) => ("settings_changed", json(body)),
            Event::DeviceOnline(body) => ("device_online", json(body)),
            Event::DeviceOffline(body) => ("device_offline", json(body)),
            Event::DeviceChanged(body) => ("device_changed", json(body)),
            Event::Other(OtherEvent { kind, json }) => {
                (kind.as_str(), serde_json::from_str(json).unwrap_or_default())
            }
        };
        (kind.to_owned(), body)
    }
}

fn json(body: &impl Serialize) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}

#[cfg(test)]
mod tests;
