//! Accepting connections of one listener, until it is closed.

use rmqtt::net::Listener as Bound;
use rmqtt::server::MqttServer;
use rmqtt::types::ListenerId;
use tokio::task::JoinHandle;

use crate::hub::Hub;

/// A listener that lets clients in. Dropped, it closes.
pub(crate) struct Accepting {
    task: JoinHandle<()>,
}

impl Accepting {
    /// Begins to accept.
    pub(crate) fn start(hub: &Hub, id: ListenerId, listener: Bound) -> Accepting {
        let server = MqttServer::new(hub.mqtt.clone()).listener_by_id(listener, id).build();
        // Not `start()`: that ends the process when it fails.
        let run = async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "The MQTT listener has ended");
            }
        };
        Accepting { task: tokio::spawn(run) }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
    }
}
