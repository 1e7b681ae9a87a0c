//! Events about clients beside their coming and going: who was not let in, who hears what.

use std::sync::Arc;

use bytes::Bytes;
use otaru_wire::payload::{ConnectFailedPayload, ConnectFailure, SubscriptionPayload};
use otaru_wire::{SubscriptionEvent, Topic};
use rmqtt::codec::types::QoS;
use rmqtt::session::Session as MqttSession;
use uuid::Uuid;

use crate::connection::Connection;
use crate::hub::Hub;
use crate::{Connect, Principal, admission};

impl Hub {
    /// Tells that a client was not let in.
    pub(crate) async fn say_connect_failed(&self, connect: &Connect) {
        let event = ConnectFailedPayload {
            client_id: connect.client_id.clone(),
            timestamp: (self.clock)(),
            session_identifier: Uuid::new_v4().to_string(),
            principal_identifier: admission::principal_id(connect),
            ip_address: connect.ip.map(|ip| ip.to_string()),
            connect_failure_reason: ConnectFailure::AuthorizationFailed,
        };
        self.say_event(&event.client_id, &event.topic(), event.to_json()).await;
    }

    /// Notes that a client now has a filter, or has it no more. It is told once the packet that
    /// names the filter is done with, together with the others in it: rmqtt says them one by one.
    pub(crate) async fn note_subscription(
        self: &Arc<Hub>,
        mqtt: &MqttSession,
        event_type: SubscriptionEvent,
        filter: &str,
    ) {
        let Some(connection) = Connection::of(mqtt).await else { return };
        let gathered = connection.gather(event_type, filter);
        if let Some((event_type, topics)) = gathered.finished {
            self.say_subscription(&connection, event_type, topics).await;
        }
        if gathered.is_first {
            // The session's task looks into its inbox when the packet is done with.
            let (hub, mqtt) = (self.clone(), mqtt.clone());
            tokio::spawn(async move { hub.passed(&mqtt).await });
        }
    }

    /// Tells of the filters of packets that are done with. Only the session's own task may ask
    /// for it, or the next packet's filters would be torn apart.
    pub(crate) async fn say_subscriptions(&self, connection: &Connection) {
        if let Some((event_type, topics)) = connection.gathered() {
            self.say_subscription(connection, event_type, topics).await;
        }
    }

    async fn say_subscription(
        &self,
        connection: &Connection,
        event_type: SubscriptionEvent,
        topics: Vec<String>,
    ) {
        if matches!(connection.session.principal, Principal::Claim { .. }) {
            return;
        }
        let event = SubscriptionPayload {
            client_id: connection.session.client_id.clone(),
            timestamp: (self.clock)(),
            event_type,
            session_identifier: connection.session.session_id.clone(),
            principal_identifier: connection.principal_id.clone(),
            topics,
        };
        self.say_event(&event.client_id, &event.topic(), event.to_json()).await;
    }

    /// Publishes an event about a client, unless its id cannot stand in a topic.
    /// Only backends can have one like that.
    pub(crate) async fn say_event(&self, client_id: &str, topic: &Topic, event: Vec<u8>) {
        if !client_id.contains(['+', '#', '\0']) {
            let topic = topic.format(&self.namespace);
            self.say(&topic, Bytes::from(event), QoS::AtLeastOnce).await;
        }
    }
}
