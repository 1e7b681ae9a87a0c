//! The open delta, sent again to a device that may have missed it.
//!
//! A device that starts a session, resumes one, or subscribes to its delta
//! topic while a delta is open gets that delta once more: once per connection
//! and shadow version, and not if it waits in the device's queue anyway.
//!
//! rmqtt's queue cannot be searched. Instead the repeat goes to its end, marked
//! by its sender, and is thrown away when it comes out if the same version, or
//! a newer one, came out before it.

use std::collections::HashMap;

use otaru_wire::ThingName;
use rmqtt::codec::types::QoS;
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{From as Sender, FromType, Publish};
use serde::Deserialize;

use crate::connection::Connection;
use crate::hub::Hub;
use crate::topic_filter::overlap;

/// What one connection has been given, by delta topic.
#[derive(Default)]
pub(crate) struct Repeats {
    delivered: HashMap<String, Delivered>,
    sent: HashMap<String, Sent>,
    /// How many deltas went out on this connection.
    count: u64,
}

struct Delivered {
    version: u64,
    /// [`Repeats::count`] after it went out.
    at: u64,
}

struct Sent {
    version: u64,
    /// [`Repeats::count`] when the reason for the repeat arose.
    since: u64,
}

impl Repeats {
    /// How many deltas went out so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// A delta goes out, repeated or not.
    pub(crate) fn delivered(&mut self, topic: &str, version: Option<u64>) {
        self.count += 1;
        if let Some(version) = version {
            self.delivered.insert(topic.to_owned(), Delivered { version, at: self.count });
        }
    }

    /// Whether this version may be sent again; true once.
    fn claim(&mut self, topic: &str, version: u64, since: u64) -> bool {
        if self.sent.get(topic).is_some_and(|sent| sent.version >= version) {
            return false;
        }
        self.sent.insert(topic.to_owned(), Sent { version, since });
        true
    }

    /// Whether the version, or a newer one, went out after the reason for its repeat arose.
    fn is_superfluous(&self, topic: &str, version: u64) -> bool {
        let since = self.sent.get(topic).map_or(0, |sent| sent.since);
        let delivered = self.delivered.get(topic);
        delivered.is_some_and(|delivered| delivered.version >= version && delivered.at > since)
    }
}

/// Whether the message is a repeat: nothing else is sent in this way.
pub(crate) fn is_repeat(from: &Sender) -> bool {
    matches!(from.typ(), FromType::Admin)
}

/// The `version` of a delta message.
pub(crate) fn version_of(payload: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    serde_json::from_slice(payload).ok().map(|Versioned { version }| version)
}

impl Hub {
    /// A stored session has a connection again.
    pub(crate) async fn session_resumed(&self, mqtt: &MqttSession, connection: &Connection) {
        let Some(thing) = connection.session.principal.thing() else { return };
        let since = 0;
        // The caller saw the session's task run, so what the old connection left
        // behind is in its inbox. Once that has passed, subscriptions are back
        // and all that waited is ahead of what comes now.
        if self.passed(mqtt).await {
            self.repeat_open_deltas(mqtt, connection, thing, None, since).await;
        }
    }

    /// A filter was added to the session. The repeat goes out behind the SUBACK,
    /// which waits for the service's answer: a client that subscribes without
    /// end holds up itself.
    pub(crate) async fn repeat_after_subscribe(
        &self,
        mqtt: &MqttSession,
        connection: &Connection,
        filter: &str,
    ) {
        let Some(thing) = connection.session.principal.thing() else { return };
        if delta_filters(thing).iter().any(|deltas| overlap(filter, deltas)) {
            let since = connection.repeats().count();
            self.repeat_open_deltas(mqtt, connection, thing, Some(filter), since).await;
        }
    }

    /// Sends the open deltas that the session subscribes to, through `filter` if one is given.
    async fn repeat_open_deltas(
        &self,
        mqtt: &MqttSession,
        connection: &Connection,
        thing: &ThingName,
        filter: Option<&str>,
        since: u64,
    ) {
        let Some(filters) = granted(mqtt).await else { return };
        let deltas = delta_filters(thing);
        let hears = |(filter, _): &(String, QoS)| deltas.iter().any(|all| overlap(filter, all));
        if !filters.iter().any(hears) {
            return;
        }
        for delta in self.ingress.open_deltas(thing).await {
            let matching = filters.iter().filter(|(filter, _)| overlap(filter, &delta.topic));
            let Some(qos) = matching.map(|(_, qos)| *qos).max_by_key(|qos| qos.value()) else {
                continue;
            };
            let covered = filter.is_none_or(|filter| overlap(filter, &delta.topic));
            if !covered || is_unacknowledged(mqtt, &delta.topic, delta.version).await {
                continue;
            }
            let claimed = connection.repeats().claim(&delta.topic, delta.version, since);
            if claimed {
                self.repeat(mqtt, &delta.topic, delta.payload, qos).await;
            }
        }
    }

    /// Whether a message that now comes out of the queue is a repeat to be thrown away.
    pub(crate) async fn is_superfluous(
        &self,
        mqtt: &MqttSession,
        from: &Sender,
        publish: &Publish,
    ) -> bool {
        if !is_repeat(from) {
            return false;
        }
        let Some(connection) = Connection::of(mqtt).await else { return false };
        let Some(version) = version_of(&publish.payload) else { return false };
        connection.repeats().is_superfluous(&publish.topic, version)
    }
}

/// Filters that together match the delta topics of all shadows of a thing.
fn delta_filters(thing: &ThingName) -> [String; 2] {
    [
        format!("$aws/things/{thing}/shadow/update/delta"),
        format!("$aws/things/{thing}/shadow/name/+/update/delta"),
    ]
}

/// The session's filters with the quality of service granted to each.
pub(crate) async fn granted(mqtt: &MqttSession) -> Option<Vec<(String, QoS)>> {
    let subscriptions = mqtt.subscriptions().await.ok()?;
    let subscriptions = subscriptions.read().await;
    let each = subscriptions.iter().map(|(filter, options)| (filter.to_string(), options.qos()));
    Some(each.collect())
}

/// Whether the version is with the device, which has not acknowledged it yet.
async fn is_unacknowledged(mqtt: &MqttSession, topic: &str, version: u64) -> bool {
    let in_flight = mqtt.out_inflight().write().await.clone_inflight_messages();
    let mut same = in_flight.iter().filter(|message| message.publish.topic == topic);
    same.any(|message| version_of(&message.publish.payload).is_some_and(|found| found >= version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "$aws/things/clock-01/shadow/update/delta";

    #[test]
    fn version_is_repeated_once() {
        let mut repeats = Repeats::default();
        assert!(repeats.claim(TOPIC, 5, 0));
        assert!(!repeats.claim(TOPIC, 5, 0));
        assert!(!repeats.claim(TOPIC, 4, 0));
        assert!(repeats.claim(TOPIC, 6, 0));
        assert!(repeats.claim("another", 5, 0));
    }

    #[test]
    fn repeat_behind_the_same_delta_is_superfluous() {
        let mut repeats = Repeats::default();
        assert!(repeats.claim(TOPIC, 5, repeats.count()));
        assert!(!repeats.is_superfluous(TOPIC, 5));
        repeats.delivered("another", Some(5));
        assert!(!repeats.is_superfluous(TOPIC, 5));
        repeats.delivered(TOPIC, Some(4));
        assert!(!repeats.is_superfluous(TOPIC, 5));
        repeats.delivered(TOPIC, Some(6));
        assert!(repeats.is_superfluous(TOPIC, 5));
    }

    #[test]
    fn delta_given_before_the_subscription_may_be_repeated() {
        let mut repeats = Repeats::default();
        repeats.delivered(TOPIC, Some(5));
        assert!(repeats.claim(TOPIC, 5, repeats.count()));
        assert!(!repeats.is_superfluous(TOPIC, 5));
    }

    #[test]
    fn version_is_read_from_a_delta() {
        assert_eq!(version_of(br#"{"state":{"a":1},"version":7,"timestamp":1}"#), Some(7));
        assert_eq!(version_of(b"{}"), None);
        assert_eq!(version_of(b"not json"), None);
    }
}
