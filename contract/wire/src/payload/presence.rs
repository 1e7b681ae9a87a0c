//! Presence events on `$aws/events/presence/…`, in AWS IoT's form.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{PayloadError, parse, to_json};
use crate::words::words;
use crate::{PresenceEvent, Topic};

/// The most bytes in one message.
const PRESENCE_BYTES_MAX: usize = 4 * 1024;

words! {
    /// Why a connection ended, in AWS IoT's words.
    DisconnectReason, "disconnect reason" {
        /// An MQTT DISCONNECT: the only end the client chose.
        ClientInitiatedDisconnect = "CLIENT_INITIATED_DISCONNECT",
        /// The transport went away.
        ConnectionLost = "CONNECTION_LOST",
        /// Silence for one and a half times the keep-alive.
        MqttKeepAliveTimeout = "MQTT_KEEP_ALIVE_TIMEOUT",
        /// Another connection took the client id.
        DuplicateClientId = "DUPLICATE_CLIENTID",
        /// A protocol error, a second CONNECT, or a payload over the limit.
        ClientError = "CLIENT_ERROR",
        /// Authentication failed.
        AuthError = "AUTH_ERROR",
        /// It did what it may not.
        ForbiddenAccess = "FORBIDDEN_ACCESS",
        /// The broker failed.
        ServerError = "SERVER_ERROR",
        /// The broker ended it.
        ServerInitiatedDisconnect = "SERVER_INITIATED_DISCONNECT",
        /// Too many messages.
        Throttled = "THROTTLED",
        /// An operator ended it.
        ApiInitiatedDisconnect = "API_INITIATED_DISCONNECT",
    }
}

/// A presence event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresencePayload {
    /// The MQTT client id.
    pub client_id: String,
    /// When, in ms since 1970 (shadow documents use seconds).
    pub timestamp: i64,
    /// Whether the client came or went.
    pub event_type: PresenceEvent,
    /// Names the connection; equal in its two events.
    pub session_identifier: String,
    /// Names the certificate or other principal.
    pub principal_identifier: String,
    /// The client's address, when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Whether the client chose to go, when it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_initiated_disconnect: Option<bool>,
    /// Why it went, when it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnect_reason: Option<DisconnectReason>,
    /// Rises per client id; equal in the two events of a connection.
    pub version_number: u64,
}

impl PresencePayload {
    /// The event with the reason it went; sets `clientInitiatedDisconnect` to match.
    pub fn disconnected_because(mut self, reason: DisconnectReason) -> PresencePayload {
        self.event_type = PresenceEvent::Disconnected;
        self.ip_address = None;
        self.client_initiated_disconnect =
            Some(reason == DisconnectReason::ClientInitiatedDisconnect);
        self.disconnect_reason = Some(reason);
        self
    }

    /// The topic this event is published on.
    pub fn topic(&self) -> Topic {
        Topic::Presence { event: self.event_type, client_id: self.client_id.clone() }
    }

    /// Reads one presence event.
    pub fn parse_payload(bytes: &[u8]) -> Result<PresencePayload, PayloadError> {
        parse(bytes, PRESENCE_BYTES_MAX)
    }

    /// The event as compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}
