//! Events about clients beside their coming and going, in AWS IoT's form.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::to_json;
use crate::words::words;
use crate::{PresenceEvent, SubscriptionEvent, Topic};

words! {
    /// Why a client was not let in, in AWS IoT's words.
    ConnectFailure, "connect failure" {
        /// It is not who it says, or may not connect.
        AuthorizationFailed = "AUTHORIZATION_FAILED",
    }
}

/// A client was not let in, on `$aws/events/presence/connect_failed/{clientId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectFailedPayload {
    /// The MQTT client id it asked for.
    pub client_id: String,
    /// When, in ms since 1970.
    pub timestamp: i64,
    /// Names the attempt.
    pub session_identifier: String,
    /// Names the certificate or other principal.
    pub principal_identifier: String,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Why.
    pub connect_failure_reason: ConnectFailure,
}

impl ConnectFailedPayload {
    /// The topic this event is published on.
    pub fn topic(&self) -> Topic {
        let client_id = self.client_id.clone();
        Topic::Presence { event: PresenceEvent::ConnectFailed, client_id }
    }

    /// The event as compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&WithType { event_type: PresenceEvent::ConnectFailed, event: self })
    }
}

/// A client subscribed or unsubscribed, on `$aws/events/subscriptions/{event}/{clientId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPayload {
    /// The MQTT client id.
    pub client_id: String,
    /// When, in ms since 1970.
    pub timestamp: i64,
    /// Which of the two.
    pub event_type: SubscriptionEvent,
    /// Names the connection, as its presence events do.
    pub session_identifier: String,
    /// Names the certificate or other principal.
    pub principal_identifier: String,
    /// The topic filters.
    pub topics: Vec<String>,
}

impl SubscriptionPayload {
    /// The topic this event is published on.
    pub fn topic(&self) -> Topic {
        Topic::Subscription { event: self.event_type, client_id: self.client_id.clone() }
    }

    /// The event as compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// An event that can be of one type only.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithType<'a, E> {
    event_type: PresenceEvent,
    #[serde(flatten)]
    event: &'a E,
}
