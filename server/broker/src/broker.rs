//! The broker as the rest of the server holds it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use rmqtt::codec::types::QoS;
use rmqtt::context::ServerContext;
use rmqtt::net::Listener as Bound;
use rmqtt::types::{Id, Message as ToSession, Reason};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::accepting::Accepting;
use crate::handover::Sessions;
use crate::hub::Hub;
use crate::keep_alive::KeepAlive;
use crate::router::EscapingRouter;
use crate::{Addresses, BrokerConfig, Counts, Ingress, MqttsListener, hooks, listeners};

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
    /// The listener of the devices, with the port that was bound.
    mqtts: Option<MqttsListener>,
    /// Forgotten without [`Broker::shutdown`], they at least let nobody in any more.
    devices: Mutex<Option<Accepting>>,
    backends: Mutex<Option<Accepting>>,
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
    /// Certificate, key or client authorities cannot be used.
    #[error("could not set up TLS for MQTT")]
    Tls {
        /// Which file, and why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file's path cannot be written as text.
    #[error("path {} is not UTF-8", path.display())]
    PathNotText {
        /// The path.
        path: PathBuf,
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
        let devices = config.mqtts.as_ref().map(listeners::devices).transpose()?;
        let plain = config.plain.map(listeners::plain).transpose()?;
        let addresses = Addresses { mqtts: bound(&devices)?, plain: bound(&plain)? };

        // Busy checks would refuse clients whenever the machine has other work.
        let mqtt = ServerContext::new().busy_check_enable(false).build().await;
        let router = EscapingRouter::new(mqtt.clone());
        *mqtt.extends.router_mut().await = Box::new(router.clone());
        *mqtt.extends.shared_mut().await = Box::new(Sessions::new(mqtt.clone()));
        *mqtt.extends.fitter_mgr_mut().await = Box::new(KeepAlive);
        let mqtts = config.mqtts.clone();
        let hub = Arc::new(Hub::new(mqtt, router, ingress, config));
        hooks::install(&hub).await;

        let accept = |id, listener: Option<Bound>| {
            Mutex::new(listener.map(|listener| Accepting::start(&hub, id, listener)))
        };
        let (devices, backends) =
            (accept(listeners::DEVICES, devices), accept(listeners::PLAIN, plain));
        let mqtts = mqtts.zip(addresses.mqtts);
        let mqtts = mqtts.map(|(config, address)| MqttsListener { address, ..config });
        let running = Running { hub, addresses, mqtts, devices, backends };
        Ok(Broker { running: Arc::new(running) })
    }

    /// Reads certificate and key of the devices' listener anew, for connections to come; devices
    /// that are connected stay so. Whoever comes in the moment between is turned away and comes
    /// again: rmqtt has no way to give a listener another certificate, so the listener is
    /// closed and another one opened on its port.
    ///
    /// # Errors
    /// Files that are no good leave the old certificate in use. When the port cannot be bound
    /// again nobody gets in until another call succeeds.
    pub async fn renew_certificate(&self) -> Result<(), BrokerError> {
        let Some(config) = &self.running.mqtts else { return Ok(()) };
        let anywhere = SocketAddr::new(config.address.ip(), 0);
        listeners::devices(&MqttsListener { address: anywhere, ..config.clone() })?;
        let mut devices = self.running.devices.lock().await;
        if self.hub().stopping.load(Relaxed) {
            return Ok(());
        }
        if let Some(accepting) = devices.take() {
            accepting.close().await;
        }
        let listener = listeners::devices(config)?;
        *devices = Some(Accepting::start(self.hub(), listeners::DEVICES, listener));
        Ok(())
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
        for listener in [&self.running.devices, &self.running.backends] {
            drop(listener.lock().await.take());
        }
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

    fn hub(&self) -> &Arc<Hub> {
        &self.running.hub
    }
}

/// Ends a session and its connection, for good. The last will is sent.
pub(crate) async fn kick(hub: &Hub, id: Id) {
    let mut entry = hub.mqtt.extends.shared().await.entry(id);
    let (Some(session), Some(inbox)) = (entry.session(), entry.tx()) else { return };
    if let Err(error) = entry.kick(true, true, true).await {
        tracing::debug!(client.id = %session.id.client_id, %error, "Session was already going");
    }
    // A session that was held up by its client for longer than rmqtt waits ignores the kick, and
    // would live on where no message finds it.
    let _gone = inbox.unbounded_send(ToSession::Closed(Reason::ConnectKicked(true)));
    // A session without a connection is dropped by rmqtt with its queue, untold.
    hub.session_over(&session).await;
    while session.deliver_queue().pop().is_some() {
        hub.counters.dropped_session_ended.fetch_add(1, Relaxed);
    }
}

fn bound(listener: &Option<Bound>) -> Result<Option<SocketAddr>, BrokerError> {
    let Some(listener) = listener else { return Ok(None) };
    let address = listener.local_addr().map_err(|source| BrokerError::Bind {
        address: listener.cfg.laddr,
        source: source.into(),
    })?;
    Ok(Some(address))
}
