//! How many bytes wait for one client.
//!
//! A message is counted from when a session is given it until nobody holds it any more: in the
//! session's inbox, in its queue, unacknowledged, or on the way to the next connection. So the
//! payload itself brings its bytes back, when its last copy is dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rmqtt::types::{ClientId, Publish};

/// Bytes of the messages that wait, by client id. Clones share it.
#[derive(Clone)]
pub(crate) struct Waiting {
    most: usize,
    by_client: Arc<Mutex<HashMap<ClientId, usize>>>,
}

impl Waiting {
    /// So many may wait for one client; zero is no limit.
    pub(crate) fn new(most: u32) -> Waiting {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Waiting { most, by_client: Arc::default() }
    }

    /// Whether the message would be too much.
    pub(crate) fn has_room(&self, client_id: &ClientId, publish: &Publish) -> bool {
        let waiting = self.all().get(client_id).copied().unwrap_or(0);
        self.most == 0 || waiting.saturating_add(bytes_of(publish)) <= self.most
    }

    /// The message, counted for as long as anybody holds it.
    pub(crate) fn hold(&self, client_id: &ClientId, publish: &Publish) -> Publish {
        let mut publish = publish.clone();
        if self.most == 0 {
            return publish;
        }
        let bytes = bytes_of(&publish);
        *self.all().entry(client_id.clone()).or_default() += bytes;
        let (client_id, waiting) = (client_id.clone(), self.clone());
        publish.payload =
            Bytes::from_owner(Held { payload: publish.payload.clone(), bytes, client_id, waiting });
        publish
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ClientId, usize>> {
        self.by_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A payload that waits.
struct Held {
    payload: Bytes,
    bytes: usize,
    client_id: ClientId,
    waiting: Waiting,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.waiting.all();
        let Some(waiting) = all.get_mut(&self.client_id) else { return };
        *waiting -= self.bytes;
        if *waiting == 0 {
            all.remove(&self.client_id);
        }
    }
}

fn bytes_of(publish: &Publish) -> usize {
    publish.topic.len() + publish.payload.len()
}

#[cfg(test)]
mod tests {
    use rmqtt::codec::types::{Publish as CodecPublish, QoS};

    use super::*;

    const TOPIC: &str = "topic";

    fn message(payload: &'static str) -> Publish {
        Publish::from(CodecPublish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: TOPIC.into(),
            packet_id: None,
            payload: payload.into(),
            properties: None,
        })
    }

    #[test]
    fn a_message_counts_until_its_last_copy_is_gone() {
        let (waiting, one) = (Waiting::new(20), ClientId::from("clock-01"));
        let held = waiting.hold(&one, &message("12345"));
        let copy = held.clone();
        assert_eq!(copy.payload, "12345");
        assert!(waiting.has_room(&one, &message("12345")));
        assert!(!waiting.has_room(&one, &message("123456")));
        assert!(waiting.has_room(&ClientId::from("clock-02"), &message("123456")));
        drop(held);
        assert!(!waiting.has_room(&one, &message("123456")));
        drop(copy);
        assert!(waiting.has_room(&one, &message("123456")));
        assert!(waiting.all().is_empty());
    }

    #[test]
    fn an_empty_message_counts_by_its_topic() {
        let (waiting, one) = (Waiting::new(9), ClientId::from("clock-01"));
        let held = waiting.hold(&one, &message(""));
        assert!(!waiting.has_room(&one, &message("")));
        drop(held);
        assert!(waiting.all().is_empty());
    }

    #[test]
    fn zero_is_no_limit() {
        let (waiting, one) = (Waiting::new(0), ClientId::from("clock-01"));
        let _held = waiting.hold(&one, &message("12345"));
        assert!(waiting.has_room(&one, &message("12345")));
        assert!(waiting.all().is_empty());
    }
}
