//! Clients that come and go: presence events, and the same told to the service.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use otaru_wire::PresenceEvent;
use otaru_wire::payload::{DisconnectReason, PresencePayload};
use rmqtt::codec::error::{DecodeError, SendPacketError};
use rmqtt::net::MqttError;
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{Message as ToSession, Reason};
use uuid::Uuid;

use crate::connection::Connection;
use crate::hub::Hub;
use crate::pace::Pace;
use crate::{Listener, Principal, Session, admission, listeners};

impl Hub {
    /// rmqtt has made the session; its CONNACK is next.
    pub(crate) async fn client_connected(self: &Arc<Hub>, mqtt: &MqttSession) {
        let Some(admitted) = self.recall(&mqtt.id) else {
            // Its publishes and subscriptions will be refused.
            tracing::error!(client.id = %mqtt.id.client_id, "Session of a client nobody let in");
            return;
        };
        let session = Session {
            client_id: mqtt.id.client_id.to_string(),
            principal: admitted.principal,
            certificate: admitted.certificate,
            session_id: Uuid::new_v4().to_string(),
            version_number: self.next_version(),
            ip: mqtt.id.remote_addr.map(|address| address.ip()),
        };
        let is_device = listeners::of(&mqtt.id) == Listener::Devices;
        let pace = is_device.then(|| Pace::new(&self.limits, (self.clock)()));
        let (principal_id, claim) = (admitted.principal_id, admitted.claim);
        let connection = Arc::new(Connection::new(session, principal_id, pace, claim));
        connection.attach(mqtt).await;
        self.restore_subscriptions(mqtt).await;
        self.counters.connections.fetch_add(1, Relaxed);
        self.ingress.connected(connection.session.clone()).await;
        self.say_presence(&connection, self.presence(&connection)).await;
        self.end_inherited(mqtt, &connection).await;
        let (hub, mqtt) = (self.clone(), mqtt.clone());
        tokio::spawn(async move { hub.client_started(mqtt, connection).await });
    }

    /// Ends a claim that goes on with a session: one that was made between the moment when there
    /// was none and this one's.
    async fn end_inherited(&self, mqtt: &MqttSession, connection: &Connection) {
        let is_inherited = mqtt.session_present().await.unwrap_or(false);
        if is_inherited && admission::is_claim(&connection.session.principal) {
            let entry = self.mqtt.extends.shared().await.entry(mqtt.id.clone());
            let Some(inbox) = entry.tx() else { return };
            let _gone = inbox.unbounded_send(ToSession::Closed(Reason::ConnectKicked(true)));
        }
    }

    /// Sees a new session through its start.
    async fn client_started(self: Arc<Hub>, mqtt: MqttSession, connection: Arc<Connection>) {
        // A client that went away before its CONNACK never runs, and rmqtt tells
        // nobody of its end: without this it would be online for ever.
        if !self.passed(&mqtt).await {
            self.connection_ended(&connection, DisconnectReason::ConnectionLost).await;
            self.forget_unstarted(&mqtt).await;
            return;
        }
        if mqtt.session_present().await.unwrap_or(false) {
            self.session_resumed(&mqtt, &connection).await;
        }
    }

    /// Removes a new session whose task never ran: rmqtt would keep it for ever.
    /// A resumed one stays for the next connection, which takes over its subscriptions.
    async fn forget_unstarted(&self, mqtt: &MqttSession) {
        let mut entry = self.mqtt.extends.shared().await.entry(mqtt.id.clone());
        let is_unstarted = entry.tx().is_some_and(|queue| queue.is_closed());
        if is_unstarted && !mqtt.session_present().await.unwrap_or(false) {
            // Whoever has the name by now has another id, and stays.
            let _other = entry.remove_with(&mqtt.id).await;
        }
    }

    /// rmqtt has closed the connection; the session may live on.
    pub(crate) async fn client_disconnected(&self, mqtt: &MqttSession, reason: &Reason) {
        let Some(connection) = Connection::of(mqtt).await else { return };
        self.say_subscriptions(&connection).await;
        let reason = match (connection.closed_because(), disconnect_reason(reason)) {
            (Some(reason), _) => reason,
            (None, DisconnectReason::ApiInitiatedDisconnect) if self.is_stopping() => {
                DisconnectReason::ServerInitiatedDisconnect
            }
            (None, reason) => reason,
        };
        self.connection_ended(&connection, reason).await;
    }

    async fn connection_ended(&self, connection: &Connection, reason: DisconnectReason) {
        if !connection.end() {
            return;
        }
        self.ingress.disconnected(connection.session.clone(), reason).await;
        let event = self.presence(connection).disconnected_because(reason);
        self.say_presence(connection, event).await;
        self.counters.connections.fetch_sub(1, Relaxed);
        self.one_ended.notify_waiters();
    }

    /// The event of its coming.
    fn presence(&self, connection: &Connection) -> PresencePayload {
        let session = &connection.session;
        PresencePayload {
            client_id: session.client_id.clone(),
            timestamp: (self.clock)(),
            event_type: PresenceEvent::Connected,
            session_identifier: session.session_id.clone(),
            principal_identifier: connection.principal_id.clone(),
            ip_address: session.ip.map(|ip| ip.to_string()),
            client_initiated_disconnect: None,
            disconnect_reason: None,
            version_number: session.version_number,
        }
    }

    /// Publishes it, unless the client is nobody yet: its id is no thing that could be online.
    async fn say_presence(&self, connection: &Connection, event: PresencePayload) {
        if matches!(connection.session.principal, Principal::Claim { .. }) {
            return;
        }
        self.say_event(&event.client_id, &event.topic(), event.to_json()).await;
        tracing::debug!(
            client.id = connection.session.client_id,
            client.is_device = matches!(connection.session.principal, Principal::Device { .. }),
            event = event.event_type.as_str(),
            reason = event.disconnect_reason.map(DisconnectReason::as_str),
            "Client presence"
        );
    }
}

/// AWS's word for rmqtt's reason. rmqtt collects several: the closing of the
/// socket comes after the DISCONNECT that announced it, so the first that says
/// something counts.
fn disconnect_reason(reason: &Reason) -> DisconnectReason {
    match reason {
        Reason::Reasons(reasons) => {
            let mut reasons = reasons.iter().map(disconnect_reason);
            let first = reasons.next().unwrap_or(DisconnectReason::ConnectionLost);
            reasons.fold(first, |found, next| {
                if found == DisconnectReason::ConnectionLost { next } else { found }
            })
        }
        Reason::ConnectDisconnect(_) => DisconnectReason::ClientInitiatedDisconnect,
        Reason::ConnectKicked(true) => DisconnectReason::ApiInitiatedDisconnect,
        Reason::ConnectKicked(false) => DisconnectReason::DuplicateClientId,
        Reason::ConnectKeepaliveTimeout => DisconnectReason::MqttKeepAliveTimeout,
        Reason::ProtocolError(_)
        | Reason::SubscribeFailed(_)
        | Reason::UnsubscribeFailed(_)
        | Reason::InflightWindowFull => DisconnectReason::ClientError,
        Reason::PublishResult(_) | Reason::SubscribeRefused => DisconnectReason::ForbiddenAccess,
        Reason::MqttError(error) => reason_of_error(error),
        // Errors of the decoder arrive as text: those of the socket start like this,
        // the rest are packets that make no sense.
        Reason::Error(text) if text.starts_with("io error") => DisconnectReason::ConnectionLost,
        Reason::Error(_) => DisconnectReason::ClientError,
        _ => DisconnectReason::ConnectionLost,
    }
}

fn reason_of_error(error: &MqttError) -> DisconnectReason {
    match error {
        MqttError::SendPacket(SendPacketError::Encode(_))
        | MqttError::Encode(_)
        | MqttError::WriteTimeout
        | MqttError::FlushTimeout
        | MqttError::CloseTimeout
        | MqttError::ReadTimeout
        | MqttError::Decode(DecodeError::Io(_)) => DisconnectReason::ConnectionLost,
        MqttError::ServiceUnavailable => DisconnectReason::ServerError,
        _ => DisconnectReason::ClientError,
    }
}

#[cfg(test)]
mod tests;
