//! The broker as the rest of the server holds it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use rmqtt::codec::types::QoS;
use rmqtt::context::ServerContext;
use rmqtt::types::Id;
use rustls::ServerConfig;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::accepting::Accepting;
use crate::door::Door;
use crate::fitting::Fitters;
use crate::handover::Sessions;
use crate::hub::Hub;
use crate::router::EscapingRouter;
use crate::waiting::Waiting;
use crate::{
    Addresses, BrokerConfig, Counts, DeviceLimits, Ingress, Session, answer, hooks, listeners,
};

/// How long [`Broker::shutdown`] waits for connections to end. rmqtt keeps an
/// MQTT 5 connection half a second after its DISCONNECT.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// A running broker. Clones are the same broker.
#[derive(Clone)]
pub struct Broker {
    running: Arc<Running>,
}

struct Running {
    hub: Arc<Hub>,
    addresses: Addresses,
    /// Owned by who accepts there, and closed with that.
    devices: Option<Weak<Door>>,
    /// Forgotten without [`Broker::shutdown`], they at least let nobody in any more.
    accepting: Mutex<Vec<Accepting>>,
}

/// What the service says: goes to every subscriber of the topic, never retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// A topic name, without wildcards.
    pub topic: String,
    /// What to say.
    pub payload: Bytes,
}

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The listener without certificates was to be reachable from other machines.
    #[error("the plain MQTT listener must have a loopback address, found {address}")]
    PlainNotLoopback {
        /// The address as configured.
        address: SocketAddr,
    },
    /// An address could not be listened on.
    #[error("could not listen on {address}")]
    Bind {
        /// The address as configured.
        address: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Broker {
    /// Listens and lets clients in. Needs a tokio runtime.
    ///
    /// Clients may be handed to `ingress` before this returns.
    pub async fn start(
        config: BrokerConfig,
        ingress: Arc<dyn Ingress>,
    ) -> Result<Broker, BrokerError> {
        let devices = config
            .mqtts
            .as_ref()
            .map(|mqtts| Door::of_devices(mqtts, &config.clock))
            .transpose()?
            .map(Arc::new);
        let plain = config.plain.map(Door::of_backends).transpose()?.map(Arc::new);
        let bound = |door: &Option<Arc<Door>>| door.as_ref().map(|door| door.address());
        let addresses = Addresses { mqtts: bound(&devices), plain: bound(&plain) };

        // Busy checks would refuse clients whenever the machine has other work.
        let mqtt = ServerContext::new().busy_check_enable(false).build().await;
        let router = EscapingRouter::new(mqtt.clone());
        *mqtt.extends.router_mut().await = Box::new(router.clone());
        let limits = config.mqtts.as_ref().map_or(DeviceLimits::USUAL, |mqtts| mqtts.limits);
        let sessions = Sessions::new(mqtt.clone(), Waiting::new(limits.waiting_bytes));
        *mqtt.extends.shared_mut().await = Box::new(sessions.clone());
        let hub = Arc::new(Hub::new(mqtt, router, sessions, ingress, config));
        *hub.mqtt.extends.fitter_mgr_mut().await = Box::new(Fitters::of(&hub));
        hooks::install(&hub).await;

        let devices_door = devices.as_ref().map(Arc::downgrade);
        let of_devices = devices.map(listeners::devices);
        let of_devices = of_devices.map(|of| Accepting::start(&hub, listeners::DEVICES, of));
        let of_backends = plain.map(listeners::plain);
        let of_backends = of_backends.map(|of| Accepting::start(&hub, listeners::PLAIN, of));
        let accepting = Mutex::new(of_devices.into_iter().chain(of_backends).collect());
        Ok(Broker {
            running: Arc::new(Running { hub, addresses, devices: devices_door, accepting }),
        })
    }

    /// Shakes hands with devices in another way, for connections to come; those that stand go on.
    pub fn replace_tls(&self, tls: Arc<ServerConfig>) {
        if let Some(door) = self.running.devices.as_ref().and_then(Weak::upgrade) {
            door.replace_tls(tls);
        }
    }

    /// Where it listens; free ports are filled in.
    pub fn addresses(&self) -> Addresses {
        self.running.addresses
    }

    /// Puts the message into the queue of every subscriber, at QoS 1 or what the
    /// subscriber was granted, and returns. Messages of one caller that awaits
    /// each arrive in that order. Offline sessions get it when they return.
    pub async fn publish(&self, message: Message) {
        self.hub().say(&message.topic, message.payload, QoS::AtLeastOnce).await;
    }

    /// As [`Broker::publish`], for a message that somebody sent at QoS 0.
    pub async fn publish_at_most_once(&self, message: Message) {
        self.hub().say(&message.topic, message.payload, QoS::AtMostOnce).await;
    }

    /// Puts the message into the queue of the one connection it answers, and of nobody else who
    /// subscribes to its topic. Nothing happens when that connection has ended, or does not
    /// subscribe.
    pub async fn answer(&self, to: &Session, message: Message) {
        answer::answer(self.hub(), to, message).await;
    }

    /// Whether anyone would get a message on this topic, now or on return.
    pub async fn has_subscriber(&self, topic: &str) -> bool {
        self.hub().router.has_subscriber(topic).await
    }

    /// Ends the client's connection and forgets its stored session with all that waits in it.
    /// Returns once the session is told; nothing happens if there is none.
    pub async fn disconnect(&self, client_id: &str) {
        let id = Id::from(self.hub().mqtt.node.id(), client_id.into());
        kick(self.hub(), id).await;
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        self.hub().counters.read()
    }

    /// Lets nobody in any more, ends all connections and waits until the
    /// service was told of each, five seconds at most. Other clones of the
    /// broker reach nobody from then on.
    pub async fn shutdown(self) {
        let hub = self.hub();
        hub.stopping.store(true, Relaxed);
        self.running.accepting.lock().await.clear();
        let ids: Vec<Id> = hub.mqtt.extends.shared().await.iter().map(|entry| entry.id()).collect();
        let mut kicks = JoinSet::new();
        for id in ids {
            let hub = hub.clone();
            kicks.spawn(async move { kick(&hub, id).await });
        }
        let gone = async {
            kicks.join_all().await;
            loop {
                let one_ended = hub.one_ended.notified();
                if hub.counters.connections.load(Relaxed) == 0 {
                    break;
                }
                one_ended.await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_PATIENCE, gone).await.is_err() {
            let left = hub.counters.connections.load(Relaxed);
            tracing::warn!(connections = left, "MQTT connections did not end in time");
        }
    }

    /// What it shares with its hooks.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.running.hub
    }
}

/// Ends a session and its connection, for good. The last will is sent.
pub(crate) async fn kick(hub: &Hub, id: Id) {
    let mut entry = hub.mqtt.extends.shared().await.entry(id);
    let Some(session) = entry.session() else { return };
    if let Err(error) = entry.kick(true, true, true).await {
        tracing::debug!(client.id = %session.id.client_id, %error, "Session was already going");
    }
    // A session without a connection is dropped by rmqtt with its queue, untold.
    hub.session_over(&session).await;
    while session.deliver_queue().pop().is_some() {
        hub.counters.dropped_session_ended.fetch_add(1, Relaxed);
    }
}
