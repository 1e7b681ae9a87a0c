//! Answers to one connection, where others who subscribe to the topic must not hear them.

use rmqtt::types::{From as Sender, Id};

use crate::connection::Connection;
use crate::hub::Hub;
use crate::resend::granted;
use crate::{Message, Session};

/// Queues the message for the connection, if it is still that one and subscribes to the topic
/// by its own name.
pub(crate) async fn answer(hub: &Hub, to: &Session, message: Message) {
    let id = Id::from(hub.mqtt.node.id(), to.client_id.as_str().into());
    let entry = hub.mqtt.extends.shared().await.entry(id);
    let Some(mqtt) = entry.session() else { return };
    let Some(connection) = Connection::of(&mqtt).await else { return };
    if connection.session.session_id != to.session_id {
        return;
    }
    let filters = granted(&mqtt).await.unwrap_or_default();
    let Some((_, qos)) = filters.into_iter().find(|(filter, _)| *filter == message.topic) else {
        tracing::debug!(client.id = to.client_id, topic = message.topic, "Nobody heard an answer");
        return;
    };
    let publish = hub.message(&message.topic, message.payload, qos);
    let _gone = entry.publish(Sender::from_system(hub.service.clone()), publish).await;
}
