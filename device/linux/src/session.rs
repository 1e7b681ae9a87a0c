//! The client's half of a persistent MQTT session: always empty.
//!
//! The broker keeps what it has for the device while that is away. The device
//! keeps nothing for the broker: what it had sent and never heard back about, the
//! agent finds missing in the shadow and sends anew. A QoS 1 session without
//! outstanding messages is an honest one, at any time.

use std::future::ready;
use std::pin::Pin;

use rumqttc::{
    PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};

/// Longest expiry there is: the broker decides how long it keeps a session.
pub(crate) const EXPIRY_S: u32 = u32::MAX;

/// Messages under way at a time. The client keeps 220 bytes for each that may be: for as many as
/// MQTT allows it would take 16 MiB.
pub(crate) const IN_FLIGHT: u16 = 16;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// A session store that remembers an empty session.
#[derive(Debug)]
pub(crate) struct EmptySession;

impl SessionStore for EmptySession {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Answer<'a, Option<PersistedSession>> {
        Box::pin(ready(Ok(Some(PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(EXPIRY_S),
            outgoing_inflight_upper_limit: Some(IN_FLIGHT),
            ack_mode: PersistedAckMode::Automatic,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        }))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Answer<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}
