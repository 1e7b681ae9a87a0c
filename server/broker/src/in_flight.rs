//! Messages between the queue and their acknowledgement.

use rmqtt::codec::types::QoS;
use rmqtt::inflight::{MomentStatus, OutInflightMessage};
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{From as Sender, Publish};

use crate::hub::Hub;

/// What a PUBLISH adds to topic, payload and subscription identifiers: fixed header, two lengths
/// and the packet identifier.
const HEADER_BYTES: usize = 5 + 2 + 2 + 1;

/// One subscription identifier at its largest.
const SUBSCRIPTION_ID_BYTES: usize = 5;

/// Puts a message that is about to be sent among the unacknowledged ones.
///
/// rmqtt does so again once it is sent. In between it would be in no queue at all, and a
/// connection that breaks just then would take it along: it was never sent, and would not be sent
/// again when the session is resumed.
pub(crate) async fn hold(session: &MqttSession, from: &Sender, publish: &Publish) {
    if publish.qos == QoS::AtMostOnce || publish.packet_id.is_none() {
        return;
    }
    let message = OutInflightMessage::new(MomentStatus::UnAck, from.clone(), publish.clone());
    session.out_inflight().write().await.push_back(message);
}

impl Hub {
    /// Whether an MQTT 5 client said that it takes no packet this large. Such a message counts as
    /// sent, as the protocol has it: tried, it would end every connection of the session.
    pub(crate) async fn is_too_large(&self, session: &MqttSession, publish: &Publish) -> bool {
        let Ok(connect) = session.connect_info().await else { return false };
        let Some(max) = connect.max_packet_size() else { return false };
        let ids = publish.properties.as_ref().map_or(0, |known| known.subscription_ids.len());
        let bytes = HEADER_BYTES + publish.topic.len() + publish.payload.len();
        bytes + ids * SUBSCRIPTION_ID_BYTES > usize::try_from(max.get()).unwrap_or(usize::MAX)
    }
}
