//! What all hooks share, and the few things they do to rmqtt through it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use otaru_wire::Namespace;
use rmqtt::codec::types::{Publish as CodecPublish, QoS};
use rmqtt::codec::v5::PublishProperties;
use rmqtt::context::ServerContext;
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{From as Sender, Id, Message as ToSession, Publish, Unsubscribe};
use tokio::sync::{Notify, oneshot};

use crate::admission::Admitted;
use crate::comings::Comings;
use crate::counts::Counters;
use crate::handover::Sessions;
use crate::kept::KeptSubscriptions;
use crate::router::EscapingRouter;
use crate::{BrokerConfig, Clock, DeviceLimits, Ingress};

/// What no client can have subscribed to: taking it away changes nothing.
pub(crate) const NO_FILTER: &str = "\0";

/// Behind [`crate::Broker`], and behind every hook.
pub(crate) struct Hub {
    pub(crate) mqtt: ServerContext,
    pub(crate) router: EscapingRouter,
    pub(crate) ingress: Arc<dyn Ingress>,
    pub(crate) namespace: Namespace,
    pub(crate) clock: Clock,
    pub(crate) retained_is_refused: bool,
    pub(crate) counters: Counters,
    /// Clients that were let in and have no session yet.
    pub(crate) admitted: Mutex<HashMap<Id, Admitted>>,
    pub(crate) kept: KeptSubscriptions,
    pub(crate) sessions: Sessions,
    /// What devices may ask for.
    pub(crate) limits: DeviceLimits,
    pub(crate) comings: Comings,
    last_version: AtomicU64,
    /// The broker is shutting down.
    pub(crate) stopping: AtomicBool,
    /// Told whenever a connection has ended.
    pub(crate) one_ended: Notify,
    /// The sender of what the service says.
    pub(crate) service: Id,
}

impl Hub {
    pub(crate) fn new(
        mqtt: ServerContext,
        router: EscapingRouter,
        sessions: Sessions,
        ingress: Arc<dyn Ingress>,
        config: BrokerConfig,
    ) -> Hub {
        let BrokerConfig { mqtts, namespace, clock, retained_is_refused, .. } = config;
        let limits = mqtts.map_or(DeviceLimits::USUAL, |mqtts| mqtts.limits);
        let service = Id::from(mqtt.node.id(), "otaru".into());
        Hub {
            mqtt,
            router,
            ingress,
            namespace,
            clock,
            retained_is_refused,
            counters: Counters::default(),
            admitted: Mutex::new(HashMap::new()),
            kept: KeptSubscriptions::default(),
            sessions,
            limits,
            comings: Comings::new(&limits),
            last_version: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            one_ended: Notify::new(),
            service,
        }
    }

    /// Sends a message of the service to all its subscribers' queues.
    pub(crate) async fn say(&self, topic: &str, payload: Bytes, qos: QoS) {
        let publish = self.message(topic, payload, qos);
        let sender = Sender::from_system(self.service.clone());
        let shared = self.mqtt.extends.shared().await;
        // What could not be handed over belonged to sessions that are just going.
        if let Err((_, lost)) = shared.forwards(None, sender, publish).await {
            self.counters.dropped_session_ended.fetch_add(lost.len() as u64, Relaxed);
        }
    }

    /// Sends a repeated message to one session, and to it alone.
    pub(crate) async fn repeat(
        &self,
        session: &MqttSession,
        topic: &str,
        payload: Bytes,
        qos: QoS,
    ) {
        let publish = self.message(topic, payload, qos);
        let entry = self.mqtt.extends.shared().await.entry(session.id.clone());
        if entry.id_same() == Some(true) {
            // The sender's type marks it: see `resend`.
            let sender = Sender::from_admin(self.service.clone());
            let _gone = entry.publish(sender, publish).await;
        }
    }

    pub(crate) fn message(&self, topic: &str, payload: Bytes, qos: QoS) -> Publish {
        let message = CodecPublish {
            dup: false,
            retain: false,
            qos,
            topic: topic.into(),
            packet_id: None,
            payload,
            // Present, though empty: rmqtt puts the subscription identifiers of MQTT 5 there.
            properties: Some(PublishProperties::default()),
        };
        Publish::from(message).create_time((self.clock)())
    }

    /// Waits until the session's task has done everything sent to it before;
    /// false if that task is gone.
    pub(crate) async fn passed(&self, session: &MqttSession) -> bool {
        let entry = self.mqtt.extends.shared().await.entry(session.id.clone());
        let queue = entry.tx().filter(|_| entry.id_same() == Some(true));
        let Some(queue) = queue else { return false };
        let nothing = Unsubscribe { topic_filter: NO_FILTER.into() };
        let (done, is_done) = oneshot::channel();
        queue.unbounded_send(ToSession::Unsubscribe(nothing, done)).is_ok() && is_done.await.is_ok()
    }

    /// A number above all given before, close to the clock: it rises over
    /// restarts, and from one server to the next.
    pub(crate) fn next_version(&self) -> u64 {
        let now_ms = (self.clock)().max(0).unsigned_abs();
        let next = |last: u64| Some((last + 1).max(now_ms));
        let last = self.last_version.fetch_update(Relaxed, Relaxed, next);
        (last.expect("the closure always gives a number") + 1).max(now_ms)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}
