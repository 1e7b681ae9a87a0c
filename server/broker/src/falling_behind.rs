//! Receivers that do not keep up.
//!
//! A queue has an end, and rmqtt then throws the oldest message away and goes on: a subscriber
//! would miss an answer and never know. Here the first message lost, of too many or of too many
//! bytes, ends the session, online or stored. The client sees its connection close, and the next
//! CONNACK says that no session is present: it subscribes again, gets the open deltas, and reads
//! what else it needs. What was still in the queue goes with the session.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use otaru_wire::payload::DisconnectReason;
use rmqtt::types::To;

use crate::broker::kick;
use crate::connection::Connection;
use crate::hub::Hub;

impl Hub {
    /// A message was lost because the queue of its receiver was full.
    pub(crate) async fn fell_behind(self: &Arc<Hub>, to: &To) {
        let entry = self.mqtt.extends.shared().await.entry(to.clone());
        let Some(session) = entry.session().filter(|session| session.id == *to) else { return };
        let Some(connection) = Connection::of(&session).await else { return };
        if !connection.falls_behind() {
            return;
        }
        self.counters.fell_behind.fetch_add(1, Relaxed);
        connection.close_because(DisconnectReason::Throttled);
        tracing::warn!(
            client.id = %to.client_id,
            "Subscriber did not keep up with its messages, so its session ends"
        );
        // In a task of its own: this one is the session's, which has to hear of it.
        let (hub, id) = (self.clone(), to.clone());
        tokio::spawn(async move { kick(&hub, id).await });
    }
}
