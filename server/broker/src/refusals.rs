//! What clients are refused, and the end of those who do not stop asking for it.

use std::sync::atomic::Ordering::Relaxed;

use otaru_wire::payload::DisconnectReason;
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{
    Message as ToSession, Publish, PublishAclResult, PublishResult, Reason, SubscribeAclResult,
};

use crate::acl::Denied;
use crate::connection::Connection;
use crate::hub::Hub;

/// Refusals that one connection may collect: firmware with a wrong topic in a loop gets there,
/// and nothing that works.
const REFUSALS_MAX: u32 = 100;

/// The protocol level that a CONNECT of MQTT 5 names.
const MQTT_5: u8 = 5;

impl Hub {
    /// Refuses a PUBLISH. MQTT 5 says so in the PUBACK; where there is none, only the end of
    /// the connection tells the client.
    pub(crate) async fn refuse_publish(
        &self,
        mqtt: &MqttSession,
        connection: &Connection,
        publish: &Publish,
        denied: Denied,
    ) -> PublishAclResult {
        let has_puback = publish.qos != QoS::AtMostOnce;
        let is_told = has_puback && mqtt.protocol().await.is_ok_and(|version| version == MQTT_5);
        if !is_told {
            connection.close_because(DisconnectReason::ForbiddenAccess);
        }
        self.counters.refused_publishes.fetch_add(1, Relaxed);
        // Once: a connection that stays could fill the log.
        if connection.is_first_refused_publish() {
            tracing::info!(
                client.id = connection.session.client_id,
                topic = %publish.topic,
                reason = denied.as_str(),
                "Publish was refused"
            );
        }
        self.count_refusal(mqtt, connection).await;
        PublishAclResult::rejected(!is_told, Some(denied.as_str().into()))
    }

    /// Refuses one filter of a SUBSCRIBE; the others of it may be taken.
    pub(crate) async fn refuse_filter(
        &self,
        mqtt: &MqttSession,
        connection: &Connection,
        filter: &str,
        reason: SubscribeAckReason,
    ) -> SubscribeAclResult {
        self.counters.refused_subscriptions.fetch_add(1, Relaxed);
        if connection.is_first_refused_filter() {
            tracing::info!(
                client.id = connection.session.client_id,
                filter,
                reason = ?reason,
                "Subscription was refused"
            );
        }
        self.count_refusal(mqtt, connection).await;
        SubscribeAclResult::new_failure(reason)
    }

    async fn count_refusal(&self, mqtt: &MqttSession, connection: &Connection) {
        if connection.count_refusal() == REFUSALS_MAX {
            self.cut_off(mqtt, connection).await;
        }
    }

    /// Ends the connection; its session stays for one that behaves.
    async fn cut_off(&self, mqtt: &MqttSession, connection: &Connection) {
        self.counters.cut_off.fetch_add(1, Relaxed);
        connection.close_because(DisconnectReason::ForbiddenAccess);
        tracing::warn!(
            client.id = connection.session.client_id,
            refusals = REFUSALS_MAX,
            "Client goes on asking for what it may not have, so its connection ends"
        );
        let entry = self.mqtt.extends.shared().await.entry(mqtt.id.clone());
        let Some(inbox) = entry.tx().filter(|_| entry.id_same() == Some(true)) else { return };
        // MQTT 5 has a word for it: quota exceeded.
        let quota = PublishResult::reason_code(PublishAckReason::QuotaExceeded, None, true);
        let _gone = inbox.unbounded_send(ToSession::Closed(Reason::PublishResult(quota)));
    }
}
