//! Tells the world what was committed, in commit order.

use std::sync::Arc;

use bytes::Bytes;
use otaru_broker::{Broker, Message, Session, Turn};
use otaru_shadow::Change;
use otaru_store::Notice;
use otaru_wire::{ShadowId, ShadowTopic, ShadowVerb};
use tokio::sync::mpsc;

use crate::{App, Heard, device_authorities, events::Live};

/// An answer to one connection alone, and its place among those that wait for one.
pub(crate) struct Told {
    pub(crate) to: Arc<Session>,
    pub(crate) message: Message,
    pub(crate) turn: Turn,
}

/// Publishes shadow messages and events of committed work until the store closes.
///
/// One task does it all: messages of one shadow leave in version order.
pub async fn deliver_notices(
    app: App,
    broker: Broker,
    mut notices: mpsc::UnboundedReceiver<Notice>,
) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::ShadowUpdated { shadow, previous, current, request, at_s } => {
                let previous = previous.as_deref();
                let change = Change { previous, current: &current, request: &request, at_s };
                publish_update(&app, &broker, &shadow, change).await;
            }
            Notice::ShadowChanged { organisation, shadow, version } => {
                app.inner.fleet_ticks.shadow_changed(organisation, shadow, version);
            }
            Notice::LogsAdded { organisation, thing } => {
                app.inner.fleet_ticks.logs_added(organisation, thing);
            }
            Notice::ShadowRead { shadow, document, client_token, at_s } => {
                let (token, rules) = (client_token.as_deref(), &app.inner.shadow_rules);
                let payload = otaru_shadow::get_accepted(&document, at_s, token, rules);
                publish(&broker, &shadow, ShadowTopic::Accepted(ShadowVerb::Get), payload).await;
            }
            Notice::ShadowDeleted { shadow, deleted, client_token, at_s } => {
                let payload =
                    otaru_shadow::delete_accepted(&deleted, at_s, client_token.as_deref());
                publish(&broker, &shadow, ShadowTopic::Accepted(ShadowVerb::Delete), payload).await;
            }
            Notice::ShadowRejected { shadow, verb, rejection } => {
                let payload = rejection.to_mqtt();
                publish(&broker, &shadow, ShadowTopic::Rejected(verb), payload).await;
            }
            Notice::Published { topic, payload, at_least_once } => {
                let message = Message { topic, payload: Bytes::from(payload) };
                match at_least_once {
                    true => broker.publish(message).await,
                    false => broker.publish_at_most_once(message).await,
                }
            }
            Notice::Answered(turn) => drop(turn),
            // Nobody listening is no error.
            Notice::Event(entry) => drop(app.inner.live_events.send(Live::Heard(entry.into()))),
            Notice::Tick { organisation, people, kind, body } => {
                let tick = Heard { id: None, kind, body, organisation, people };
                let _ = app.inner.live_events.send(Live::Heard(tick));
            }
            Notice::CommitUncertain => drop(app.inner.live_events.send(Live::ReadAgain)),
            Notice::CredentialRevoked { id } => {
                let _ = app.inner.live_events.send(Live::Revoked { credential: id });
            }
            Notice::CertificateRevoked { issuer, serial } => {
                device_authorities::end(&app, &issuer, &serial);
            }
            Notice::Disconnect { client_id } => {
                // In a task of its own: a session that waits for its answers, which leave
                // here, can only end behind them.
                let broker = broker.clone();
                tokio::spawn(async move { broker.disconnect(&client_id).await });
            }
            Notice::Told(told) => {
                if let Ok(told) = told.downcast::<Told>() {
                    let Told { to, message, turn } = *told;
                    broker.answer(&to, message).await;
                    drop(turn);
                }
            }
        }
    }
}

/// Delta first: some clients drop a delta that is not newer than the last accepted they saw.
async fn publish_update(app: &App, broker: &Broker, shadow: &ShadowId, change: Change<'_>) {
    let rules = &app.inner.shadow_rules;
    if let Some(payload) = change.delta(rules) {
        publish(broker, shadow, ShadowTopic::Delta, payload).await;
    }
    if broker.has_subscriber(&shadow.topic_name(ShadowTopic::Documents)).await {
        publish(broker, shadow, ShadowTopic::Documents, change.documents(rules)).await;
    }
    publish(broker, shadow, ShadowTopic::Accepted(ShadowVerb::Update), change.accepted(rules))
        .await;
}

async fn publish(broker: &Broker, shadow: &ShadowId, topic: ShadowTopic, payload: Vec<u8>) {
    let topic = shadow.topic_name(topic);
    broker.publish(Message { topic, payload: Bytes::from(payload) }).await;
}
