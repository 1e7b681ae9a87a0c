//! Messages and subscriptions on their way through the broker.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use otaru_wire::payload::DisconnectReason;
use otaru_wire::{ShadowTopic, ShadowVerb, SubscriptionEvent, Topic};
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::net::v5::TAKEN_OVER;
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{
    ClientId, From as Sender, Publish, PublishAclResult, PublishResult, Reason, Subscribe,
    SubscribeAclResult, To, TopicFilter,
};

use crate::connection::Connection;
use crate::hub::{Hub, NO_FILTER};
use crate::{Principal, Request, acl, resend};

/// Levels of a filter; the longest topic of ours has eight.
const FILTER_LEVELS_MAX: usize = 32;

impl Hub {
    /// Judges a PUBLISH and takes what the service executes; the message is then
    /// routed to its subscribers like any other.
    ///
    /// While this waits, for a turn or for the service, the client's socket is
    /// not read: that is the back-pressure.
    pub(crate) async fn publish_wanted(
        &self,
        mqtt: &MqttSession,
        publish: &Publish,
    ) -> PublishAclResult {
        let Some(connection) = Connection::of(mqtt).await else {
            return PublishAclResult::rejected(true, None);
        };
        tokio::select! {
            biased;
            judged = self.judge_publish(mqtt, &connection, publish) => judged,
            // Without a PUBACK: whoever wants it to arrive sends it again.
            () = connection.has_to_give_way() => {
                connection.close_because(DisconnectReason::DuplicateClientId);
                PublishAclResult::rejected(true, Some(TAKEN_OVER.into()))
            }
        }
    }

    async fn judge_publish(
        &self,
        mqtt: &MqttSession,
        connection: &Connection,
        publish: &Publish,
    ) -> PublishAclResult {
        self.keep_pace(connection, publish.topic.len() + publish.payload.len()).await;
        let session = &connection.session;
        let retain = publish.retain && self.retained_is_refused;
        let allowed = acl::publish(&session.principal, &self.namespace, &publish.topic, retain);
        match allowed {
            Ok(None) => PublishAclResult::allow(),
            Ok(Some(topic)) => {
                let turn = connection.turn().await;
                let (sender, payload) = (session.clone(), publish.payload.clone());
                let request = Request { session: sender, topic, payload, turn };
                match self.ingress.message(request).await {
                    Ok(()) => PublishAclResult::allow(),
                    Err(not_taken) => {
                        connection.close_because(DisconnectReason::ServerError);
                        tracing::warn!(
                            client.id = session.client_id,
                            topic = %publish.topic,
                            reason = %not_taken,
                            "Message was not taken, so its sender is sent away to send it again"
                        );
                        let failed = PublishAckReason::UnspecifiedError;
                        PublishAclResult(PublishResult::reason_code(failed, None, true))
                    }
                }
            }
            Err(denied) => self.refuse_publish(mqtt, connection, publish, denied).await,
        }
    }

    /// Judges one filter of a SUBSCRIBE; `None` lets it pass.
    pub(crate) async fn subscribe_wanted(
        &self,
        mqtt: &MqttSession,
        subscribe: &Subscribe,
    ) -> Option<SubscribeAclResult> {
        let Some(connection) = Connection::of(mqtt).await else {
            return Some(SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized));
        };
        self.keep_pace(&connection, 0).await;
        let filter = &subscribe.topic_filter;
        let reason = self.judge_filter(&connection, &mqtt.id.client_id, filter).err()?;
        Some(self.refuse_filter(mqtt, &connection, filter, reason).await)
    }

    fn judge_filter(
        &self,
        connection: &Connection,
        client_id: &ClientId,
        filter: &TopicFilter,
    ) -> Result<(), SubscribeAckReason> {
        if filter.split('/').count() > FILTER_LEVELS_MAX {
            return Err(SubscribeAckReason::TopicFilterInvalid);
        }
        if filter.starts_with("$share/") {
            return Err(SubscribeAckReason::SharedSubscriptionNotSupported);
        }
        if !acl::subscribe(&connection.session.principal, &self.namespace, filter) {
            return Err(SubscribeAckReason::NotAuthorized);
        }
        let is_backend = matches!(connection.session.principal, Principal::Backend { .. });
        let most = if is_backend { 0 } else { self.limits.subscriptions };
        let has_room = most == 0 || self.kept.has_room(client_id, filter, most);
        if has_room { Ok(()) } else { Err(SubscribeAckReason::QuotaExceeded) }
    }

    /// A filter has been added; its SUBACK is next.
    pub(crate) async fn subscribed(self: &Arc<Hub>, mqtt: &MqttSession, subscribe: &Subscribe) {
        self.kept.add(&mqtt.id.client_id, subscribe);
        self.note_subscription(mqtt, SubscriptionEvent::Subscribed, &subscribe.topic_filter).await;
        if let Some(connection) = Connection::of(mqtt).await {
            self.repeat_after_subscribe(mqtt, &connection, &subscribe.topic_filter).await;
        }
    }

    /// A filter is to be removed, or [`Hub::passed`] is under way.
    pub(crate) async fn unsubscribe_wanted(&self, mqtt: &MqttSession, filter: &TopicFilter) {
        let Some(connection) = Connection::of(mqtt).await else { return };
        if *filter == NO_FILTER {
            self.say_subscriptions(&connection).await;
        } else {
            self.keep_pace(&connection, 0).await;
        }
    }

    /// A ping has been answered.
    pub(crate) async fn pinged(&self, mqtt: &MqttSession) {
        if let Some(connection) = Connection::of(mqtt).await {
            self.keep_pace(&connection, 0).await;
        }
    }

    /// A filter has been removed.
    pub(crate) async fn unsubscribed(self: &Arc<Hub>, mqtt: &MqttSession, filter: &TopicFilter) {
        self.kept.remove(&mqtt.id.client_id, filter);
        self.note_subscription(mqtt, SubscriptionEvent::Unsubscribed, filter).await;
    }

    /// A message leaves for its receiver.
    pub(crate) async fn message_leaves(&self, mqtt: &MqttSession, publish: &Publish) {
        let is_delta = publish.topic.ends_with("/update/delta");
        if !is_delta && !publish.topic.ends_with("/get/accepted") {
            return;
        }
        let Some(connection) = Connection::of(mqtt).await else { return };
        let Some(own) = connection.session.principal.thing() else { return };
        let Some(topic) = Topic::parse(&self.namespace, &publish.topic) else { return };
        let Topic::Shadow { shadow, topic: kind } = &topic else { return };
        if shadow.thing != *own {
            return;
        }
        match kind {
            ShadowTopic::Delta => {
                let version = resend::version_of(&publish.payload);
                connection.repeats().delivered(&publish.topic, version);
            }
            ShadowTopic::Accepted(ShadowVerb::Get) => {}
            _ => return,
        }
        self.ingress.delivered(own, &topic, &publish.payload).await;
    }

    /// Counts what a receiver will not get.
    pub(crate) async fn message_dropped(
        self: &Arc<Hub>,
        to: Option<&To>,
        from: &Sender,
        publish: &Publish,
        reason: &Reason,
    ) {
        // Without a receiver it was refused, not lost.
        let Some(to) = to else { return };
        let counter = match reason {
            Reason::MessageQueueFull => {
                self.fell_behind(to).await;
                &self.counters.dropped_queue_full
            }
            // A repeat that turned out to be superfluous.
            Reason::MessageExpiration if resend::is_repeat(from) => return,
            Reason::MessageExpiration if self.is_too_large_for(to, publish).await => {
                &self.counters.dropped_too_large
            }
            Reason::MessageExpiration => &self.counters.dropped_expired,
            _ => &self.counters.dropped_session_ended,
        };
        counter.fetch_add(1, Relaxed);
        tracing::debug!(client.id = %to.client_id, %reason, "Message was dropped");
    }
}
