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
    /// Begins to accept. Each listener is a server of its own for rmqtt, so that one can be
    /// closed and opened again while the other goes on.
    pub(crate) fn start(hub: &Hub, id: ListenerId, listener: Bound) -> Accepting {
        // rmqtt panics at a number it knows.
        hub.mqtt.listen_cfgs.remove(&id);
        let server = MqttServer::new(hub.mqtt.clone()).listener_by_id(listener, id).build();
        // Not `start()`: that ends the process when it fails.
        let run = async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "The MQTT listener has ended");
            }
        };
        Accepting { task: tokio::spawn(run) }
    }

    /// Closes the socket and returns when it is closed. Clients that are in stay in.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        // The task owns the socket, which is closed when the task is gone.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
    }
}
