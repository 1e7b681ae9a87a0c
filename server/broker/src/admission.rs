//! Who is let in, decided before the CONNACK.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use otaru_doors::PeerCertificate;
use otaru_wire::ThingName;
use rmqtt::session::Session as MqttSession;
use rmqtt::types::{AuthResult, ConnectInfo, Id, LastWill};
use tokio::time::timeout;

use crate::comings::{ClaimPlace, Later, Why};
use crate::connection::Connection;
use crate::hub::Hub;
use crate::{Connect, Listener, Principal, Refused, acl, door, listeners};

/// A client that was let in, between its CONNECT and its session.
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    /// `principalIdentifier` of its presence events.
    pub(crate) principal_id: String,
    pub(crate) certificate: Option<PeerCertificate>,
    pub(crate) claim: Option<ClaimPlace>,
}

/// Why a client is not let in.
enum NotIn {
    /// It may not.
    Refused(Refused),
    /// It may later.
    Later(Later),
}

impl From<Refused> for NotIn {
    fn from(refused: Refused) -> NotIn {
        NotIn::Refused(refused)
    }
}

impl From<Later> for NotIn {
    fn from(later: Later) -> NotIn {
        NotIn::Later(later)
    }
}

/// Handshakes that fail after authentication leave an entry behind; beyond
/// this many, the old ones are thrown away.
const ADMITTED_MAX: usize = 64;

/// Older than any handshake still under way (they time out after 30 s).
const ADMITTED_MS: i64 = 60_000;

/// Longer than rmqtt takes to end a connection.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(2);

impl Hub {
    /// rmqtt asks this for every CONNECT.
    pub(crate) async fn authenticate(self: &Arc<Hub>, info: &ConnectInfo) -> AuthResult {
        let connect = connect_of(info);
        match self.admit(&connect, info).await {
            Ok(admitted) => {
                self.remember(info.id().clone(), admitted);
                // Never a superuser: rmqtt would skip the access checks.
                AuthResult::Allow(false, None)
            }
            Err(NotIn::Later(later)) => {
                self.note_put_off(&connect, &later);
                self.put_off(info.id(), later.why)
            }
            Err(NotIn::Refused(refused)) => {
                tracing::info!(
                    client.id = connect.client_id,
                    client.ip = connect.ip.map(tracing::field::display),
                    reason = %refused,
                    "Client was not let in"
                );
                self.say_connect_failed(&connect).await;
                AuthResult::NotAuthorized
            }
        }
    }

    /// Has the client told to come later; rmqtt itself could only tell it that it may not.
    fn put_off(&self, id: &Id, why: Why) -> AuthResult {
        match why {
            // Nobody has a user name, and `rmqtt-net` says the right word.
            Why::TooOften => AuthResult::BadUsernameOrPassword,
            Why::TooMany => {
                self.sessions.put_off(id.clone());
                AuthResult::Allow(false, None)
            }
        }
    }

    fn note_put_off(&self, connect: &Connect, later: &Later) {
        self.counters.put_off.fetch_add(1, Relaxed);
        if later.is_first {
            tracing::info!(
                client.id = connect.client_id,
                client.ip = connect.ip.map(tracing::field::display),
                reason = later.why.as_str(),
                "Client was told to come later"
            );
        }
    }

    async fn admit(&self, connect: &Connect, info: &ConnectInfo) -> Result<Admitted, NotIn> {
        if connect.listener == Listener::Devices {
            let certificate = check_certificate(connect)?;
            self.comings.note(certificate, &connect.client_id, (self.clock)())?;
        }
        let principal = self.ingress.authenticate(connect).await?;
        check_principal(&principal, connect)?;
        if let Some(will) = info.last_will() {
            self.check_will(&principal, &will)?;
        }
        self.separate_listeners(connect, &principal, info.id()).await?;
        self.separate_claims(&principal, info.id()).await?;
        self.see_off_predecessor(info.id()).await;
        let certificate = connect.certificate.clone();
        let of_batch = certificate.as_ref().filter(|_| is_claim(&principal));
        let claim = of_batch.map(|certificate| self.comings.claim(certificate)).transpose()?;
        Ok(Admitted { principal, principal_id: principal_id(connect), certificate, claim })
    }

    /// A will is published without asking again, so it is judged here.
    fn check_will(&self, principal: &Principal, will: &LastWill<'_>) -> Result<(), Refused> {
        let topic = match will {
            LastWill::V3(will) => &will.topic,
            LastWill::V5(will) => &will.topic,
        };
        let retain = will.retain() && self.retained_is_refused;
        match acl::publish(principal, &self.namespace, topic, retain) {
            Ok(_) => Ok(()),
            Err(denied) => {
                Err(Refused::new(format!("last will to {topic:?}: {}", denied.as_str())))
            }
        }
    }

    /// Keeps a device's session out of a backend's reach, and the other way round.
    ///
    /// A client id names one stored session. A backend that took a device's id
    /// would read its queue, and a device that resumed a backend's session would
    /// inherit subscriptions no device may have. A claim is no device yet, and gives way to both.
    async fn separate_listeners(
        &self,
        connect: &Connect,
        principal: &Principal,
        id: &Id,
    ) -> Result<(), Refused> {
        let shared = self.mqtt.extends.shared().await;
        let Some(there) = shared.entry(id.clone()).session() else { return Ok(()) };
        match (connect.listener, listeners::of(&there.id)) {
            (Listener::Plain, Listener::Devices) if is_of_claim(&there).await => Ok(()),
            (Listener::Plain, Listener::Devices) => {
                Err(Refused::new("client id belongs to a device"))
            }
            (Listener::Devices, Listener::Plain) if is_claim(principal) => {
                Err(Refused::new("client id belongs to a backend"))
            }
            (Listener::Devices, Listener::Plain) => {
                drop(there);
                self.end_predecessor(id, "backend of that name").await
            }
            _ => Ok(()),
        }
    }

    /// Lets nobody go on with a claim's session, and no claim with anybody's. All devices of a
    /// batch may use the same client id: what waits for one of them may be its private key.
    async fn separate_claims(&self, principal: &Principal, id: &Id) -> Result<(), Refused> {
        let there = self.mqtt.extends.shared().await.entry(id.clone()).session();
        let Some(there) = there else { return Ok(()) };
        if !is_claim(principal) && !is_of_claim(&there).await {
            return Ok(());
        }
        drop(there);
        self.end_predecessor(id, "the session before").await
    }

    /// Ends the session of the same name for good.
    async fn end_predecessor(&self, id: &Id, what: &str) -> Result<(), Refused> {
        self.see_off_predecessor(id).await;
        let mut entry = self.mqtt.extends.shared().await.entry(id.clone());
        match entry.kick(true, true, false).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused::new(format!("{what} stays: {error}"))),
        }
    }

    /// Lets a connection of the same name go on to its end, and waits for one that is just ending.
    ///
    /// rmqtt answers "server unavailable" to whoever comes before it is gone, which in MQTT 5
    /// takes half a second after its DISCONNECT. One that lives on answers at once. One that
    /// answers nothing is held up by a client that does not read, and ends when it goes on.
    async fn see_off_predecessor(&self, id: &Id) {
        let there = self.mqtt.extends.shared().await.entry(id.clone()).session();
        let Some(session) = there else { return };
        if let Some(connection) = Connection::of(&session).await {
            connection.give_way();
        }
        let _held_up = timeout(PREDECESSOR_PATIENCE, self.passed(&session)).await;
    }

    /// Keeps who a client is until it has its session.
    pub(crate) fn remember(&self, id: Id, admitted: Admitted) {
        let mut all = self.admitted.lock().expect("nothing panics while it holds the lock");
        if all.len() >= ADMITTED_MAX {
            all.retain(|old, _| old.create_time + ADMITTED_MS > id.create_time);
        }
        all.insert(id, admitted);
    }

    /// Whether a client that was let in is a claim.
    pub(crate) fn admits_claim(&self, id: &Id) -> bool {
        let all = self.admitted.lock().expect("nothing panics while it holds the lock");
        all.get(id).is_some_and(|admitted| is_claim(&admitted.principal))
    }

    /// Who the client is that now has a session.
    pub(crate) fn recall(&self, id: &Id) -> Option<Admitted> {
        self.admitted.lock().expect("nothing panics while it holds the lock").remove(id)
    }
}

/// `principalIdentifier` of the events about a client.
pub(crate) fn principal_id(connect: &Connect) -> String {
    match connect.listener {
        Listener::Devices => {
            let certificate = connect.certificate.as_ref();
            certificate.map(|certificate| certificate.serial.clone()).unwrap_or_default()
        }
        Listener::Plain => "backend".to_owned(),
    }
}

fn connect_of(info: &ConnectInfo) -> Connect {
    Connect {
        client_id: info.client_id().to_string(),
        listener: listeners::of(info.id()),
        certificate: info.cert().and_then(door::certificate),
        ip: info.ipaddress().map(|address| address.ip()),
    }
}

/// A certificate that names a thing lets in that thing alone; whom another lets in, which its
/// issuer and serial number say, is for the service to know.
fn check_certificate(connect: &Connect) -> Result<&PeerCertificate, Refused> {
    let Some(certificate) = &connect.certificate else {
        return Err(Refused::new("no client certificate"));
    };
    let common_name = &certificate.common_name;
    let names_a_thing = ThingName::new(common_name).is_ok();
    if names_a_thing && *common_name != connect.client_id {
        return Err(Refused::new(format!("certificate is for {common_name:?}")));
    }
    ThingName::new(&connect.client_id).map_err(|error| Refused::new(error.to_string()))?;
    Ok(certificate)
}

pub(crate) fn is_claim(principal: &Principal) -> bool {
    matches!(principal, Principal::Claim { .. })
}

/// Whether a claim's connection has the session, or had it.
async fn is_of_claim(session: &MqttSession) -> bool {
    let connection = Connection::of(session).await;
    connection.is_some_and(|connection| is_claim(&connection.session.principal))
}

/// The service must not hand a device more than its certificate says.
fn check_principal(principal: &Principal, connect: &Connect) -> Result<(), Refused> {
    let fits = match (principal, connect.listener) {
        (Principal::Device { thing, .. }, Listener::Devices) => thing.as_str() == connect.client_id,
        (Principal::Claim { .. }, Listener::Devices) => true,
        (Principal::Backend { .. }, Listener::Plain) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(Refused::new(format!("cannot be {principal:?} here"))) }
}
