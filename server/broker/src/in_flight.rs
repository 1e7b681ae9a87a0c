//! Messages between the queue and their acknowledgement.

use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::PublishProperties;
use rmqtt::inflight::{MomentStatus, OutInflightMessage};
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{From as Sender, Publish, To};

use crate::hub::Hub;

/// A fixed header at its largest.
const FIXED_HEADER_BYTES: usize = 5;

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
        packet_bytes(publish) > usize::try_from(max.get()).unwrap_or(usize::MAX)
    }

    /// [`Hub::is_too_large`] for the session of a receiver.
    pub(crate) async fn is_too_large_for(&self, to: &To, publish: &Publish) -> bool {
        let session = self.mqtt.extends.shared().await.entry(to.clone()).session();
        match session.filter(|session| session.id == *to) {
            Some(session) => self.is_too_large(&session, publish).await,
            None => false,
        }
    }
}

/// Length of a PUBLISH of MQTT 5, section 3.3, with all that its sender put into it and a fixed header
/// at its largest.
fn packet_bytes(publish: &Publish) -> usize {
    let packet_id = if publish.qos == QoS::AtMostOnce { 0 } else { 2 };
    let properties = publish.properties.as_ref().map_or(0, property_bytes);
    let length = 2 + publish.topic.len() + packet_id + prefixed(properties) + publish.payload.len();
    FIXED_HEADER_BYTES + length
}

fn property_bytes(properties: &PublishProperties) -> usize {
    let text = |bytes: Option<usize>| bytes.map_or(0, |bytes| 1 + 2 + bytes);
    let ids = properties.subscription_ids.iter().map(|id| 1 + variable_bytes(id.get() as usize));
    let pairs =
        properties.user_properties.iter().map(|(name, value)| 1 + 2 + name.len() + 2 + value.len());
    text(properties.correlation_data.as_ref().map(|data| data.len()))
        + text(properties.content_type.as_ref().map(|kind| kind.len()))
        + text(properties.response_topic.as_ref().map(|topic| topic.len()))
        + properties.message_expiry_interval.map_or(0, |_| 1 + 4)
        + properties.topic_alias.map_or(0, |_| 1 + 2)
        + if properties.is_utf8_payload { 2 } else { 0 }
        + ids.sum::<usize>()
        + pairs.sum::<usize>()
}

/// So many bytes behind their own number, which is a variable byte integer.
fn prefixed(bytes: usize) -> usize {
    variable_bytes(bytes) + bytes
}

/// Bytes of a variable byte integer, section 1.5.5.
fn variable_bytes(number: usize) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
