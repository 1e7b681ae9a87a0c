//! What the broker asks and tells the service behind it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use otaru_doors::PeerCertificate;
use otaru_wire::payload::DisconnectReason;
use otaru_wire::{OrganisationId, TemplateName, ThingName, Topic};
use tokio::sync::OwnedSemaphorePermit;

/// Who a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A device, by its certificate: it touches its own thing's topics only.
    Device {
        /// The thing it is; also its client id.
        thing: ThingName,
        /// Who the thing belongs to.
        organisation: OrganisationId,
    },
    /// A trusted program on this machine: it asks in the name of any thing.
    Backend {
        /// Who its requests are made for.
        organisation: OrganisationId,
    },
    /// A device that has no certificate of its own yet, by that of its batch: it may ask to
    /// become a thing, and nothing else.
    Claim {
        /// Who the batch belongs to.
        organisation: OrganisationId,
        /// How it becomes a thing.
        template: TemplateName,
    },
}

impl Principal {
    /// The thing, if it is a device.
    pub fn thing(&self) -> Option<&ThingName> {
        match self {
            Principal::Device { thing, .. } => Some(thing),
            Principal::Backend { .. } | Principal::Claim { .. } => None,
        }
    }

    /// Whose things it acts on.
    pub fn organisation(&self) -> &OrganisationId {
        match self {
            Principal::Device { organisation, .. }
            | Principal::Backend { organisation }
            | Principal::Claim { organisation, .. } => organisation,
        }
    }
}

/// Where a client came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Over TLS, with a client certificate.
    Devices,
    /// Over plain TCP on the loopback interface.
    Plain,
}

/// A client that wants in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The MQTT client id. On [`Listener::Devices`] it is a thing name, and equals the common name
    /// of its certificate where that is one, too.
    pub client_id: String,
    /// Where it came in.
    pub listener: Listener,
    /// Its certificate, which TLS has verified.
    pub certificate: Option<PeerCertificate>,
    /// The address it connects from.
    pub ip: Option<IpAddr>,
}

/// Why a client was not let in: goes to the log, never to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// One clause, lower case, no full stop.
    pub why: String,
}

impl Refused {
    /// A refusal with its reason.
    pub fn new(why: impl Into<String>) -> Refused {
        Refused { why: why.into() }
    }
}

/// Why the service could not take a message, though its sender was allowed to send it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotTaken {
    /// One clause, lower case, no full stop.
    pub why: String,
}

impl NotTaken {
    /// A message that was not taken, with the reason.
    pub fn new(why: impl Into<String>) -> NotTaken {
        NotTaken { why: why.into() }
    }
}

/// One connection of a client, from CONNACK to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The MQTT client id.
    pub client_id: String,
    /// Who it is.
    pub principal: Principal,
    /// A device's certificate.
    pub certificate: Option<PeerCertificate>,
    /// Names this connection; equal in its connected and disconnected events.
    pub session_id: String,
    /// Rises from connection to connection of a client id, over restarts too.
    /// On a takeover the new connection may be told before the old one's end:
    /// the lower number is the old one.
    pub version_number: u64,
    /// The address it connected from.
    pub ip: Option<IpAddr>,
}

/// A message on a topic the service executes.
#[derive(Debug)]
pub struct Request {
    /// Who sent it.
    pub session: Arc<Session>,
    /// A shadow request, logs, progress, or a call of provisioning; the sender was allowed to
    /// publish there.
    pub topic: Topic,
    /// As it arrived.
    pub payload: Bytes,
    /// To be dropped once the reply was given to [`crate::Broker::publish`].
    pub turn: Turn,
}

/// One of a client's places among requests not yet answered.
///
/// A client may have some hundred requests open; the next one waits in its
/// socket until a `Turn` is dropped. So replies never outrun its queue.
#[derive(Debug)]
pub struct Turn(Option<OwnedSemaphorePermit>);

impl Turn {
    /// A turn of no client, for requests that did not come over MQTT.
    pub fn free() -> Turn {
        Turn(None)
    }

    /// Whether dropping it lets a client go on.
    pub fn is_free(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn of(permit: OwnedSemaphorePermit) -> Turn {
        Turn(Some(permit))
    }
}

/// A delta message that is true now.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenDelta {
    /// `…/shadow/update/delta` of the shadow.
    pub topic: String,
    /// Version of the shadow.
    pub version: u64,
    /// The message, without `clientToken`.
    pub payload: Bytes,
}

/// Without the payload, which may be long.
impl fmt::Debug for OpenDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({} bytes)", self.topic, self.version, self.payload.len())
    }
}

/// The service behind the broker.
///
/// Every method is awaited in the task of the client it is about, so a slow
/// one holds up that client and no other. Await a bounded channel, nothing
/// slower.
#[async_trait]
pub trait Ingress: Send + Sync + 'static {
    /// Says who a client is. The TLS handshake has proven the certificate, the
    /// broker that the client id is a thing name, and the one that the certificate
    /// names where it names one; revocation and registration are checked here.
    ///
    /// A principal that does not fit is refused by the broker: on
    /// [`Listener::Devices`] it must be the device of that client id or a claim, on
    /// [`Listener::Plain`] a backend.
    async fn authenticate(&self, connect: &Connect) -> Result<Principal, Refused>;

    /// Takes a message; returns when it is queued, without waiting for its effect.
    /// The client's PUBACK follows: it means queued, not done. Once per PUBLISH,
    /// in the order the client sent them; last wills never come here.
    ///
    /// After an error there is no PUBACK: the connection ends, and the client sends the
    /// message again when it is back.
    async fn message(&self, request: Request) -> Result<(), NotTaken>;

    /// A client is in. Returns before the client is told so. Its session is known by then to
    /// [`crate::Broker::disconnect`], which was not so at [`Ingress::authenticate`].
    async fn connected(&self, session: Arc<Session>);

    /// A connection has ended; exactly once for each [`Ingress::connected`].
    async fn disconnected(&self, session: Arc<Session>, reason: DisconnectReason);

    /// The deltas that are open now for the shadows of a thing, classic and named.
    async fn open_deltas(&self, thing: &ThingName) -> Vec<OpenDelta>;

    /// A delta or `get/accepted` of a thing goes out to that thing's own certificate session.
    async fn delivered(&self, thing: &ThingName, topic: &Topic, payload: &[u8]);
}
