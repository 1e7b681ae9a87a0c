//! The link to the broker: connects, reconnects with back-off, hands messages over.

use std::io;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use otaru_agent::full_jitter;
use otaru_wire::Reason;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, Incoming, MqttOptions, SessionMode,
    TlsConfiguration, Transport,
};
use rustls::client::Resumption;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::certificates::{Certificates, Shown};
use crate::session::{EXPIRY_S, EmptySession, IN_FLIGHT};
use crate::tls::{self, DeviceTls};
use crate::{Faults, Identity, SimOptions};

const KEEP_ALIVE_S: u16 = 30;
const CONNECT_LIMIT_S: u64 = 15;
/// One address of the broker's name may be dead; the next one still gets its turn.
const ADDRESS_LIMIT: Duration = Duration::from_secs(CONNECT_LIMIT_S / 3);
/// How long the end of a session may take: the server should read why the device falls
/// silent, but a dead link must not keep it from a restart, or from another connection.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(2);
/// Requests waiting to be written. The agent has at most a handful under way.
const QUEUE: usize = 64;
/// A `documents` message holds a shadow twice with its metadata; AWS's own limit is 128 KiB.
const PACKET_BYTES_MAX: u32 = 256 * 1024;
/// No reconnect waits longer: a device that is back should be seen soon.
const RECONNECT_CAP_MS: u64 = 60_000;

/// A session that lasted so long was worth having, whatever came of it.
const STABLE: Duration = Duration::from_secs(60);

/// What happens on the link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// The broker accepted the session.
    Up(AsyncClient),
    /// The session is gone, or could not be had.
    Down {
        /// Why, where a number says it.
        reason: Option<Reason>,
        /// Why, for people.
        message: String,
    },
    /// A message came in.
    Message {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
}

/// The link's task; it ends with this value.
#[derive(Debug)]
pub(crate) struct Link {
    task: JoinHandle<()>,
    is_of_use: Arc<AtomicBool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Connects in the background, for ever.
    pub(crate) fn start(
        identity: Identity,
        options: &SimOptions,
        certificates: Arc<Certificates>,
        events: UnboundedSender<LinkEvent>,
    ) -> Link {
        let base_ms = options.retry_base.as_millis() as u64;
        let cap_ms = RECONNECT_CAP_MS.min(options.retry_cap.as_millis() as u64);
        let is_of_use = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_of_use);
        let faults = options.faults.clone();
        let task = tokio::spawn(async move {
            let mut tries = 0;
            loop {
                flag.store(false, Ordering::Relaxed);
                let ended = connect(&identity, &certificates, &faults, &events).await;
                let Ended { reason, message, up_for, is_next_of_no_use } = ended;
                if is_next_of_no_use {
                    // What is wrong with it is no fault of the link: the one before has its turn.
                    continue;
                }
                // A broker that takes every session and ends it must not meet the whole
                // fleet at the shortest delay.
                let was_of_use = flag.load(Ordering::Relaxed) || up_for >= STABLE;
                tries = if was_of_use { 0 } else { tries + 1 };
                if events.send(LinkEvent::Down { reason, message }).is_err() {
                    return;
                }
                let random = getrandom::u64().unwrap_or_default();
                let delay_ms = full_jitter(base_ms, cap_ms, tries, random);
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            }
        });
        Link { task, is_of_use }
    }

    /// The current session carried a whole round trip: after it, delays begin anew.
    pub(crate) fn was_of_use(&self) {
        self.is_of_use.store(true, Ordering::Relaxed);
    }
}

/// How a connection ended.
struct Ended {
    reason: Option<Reason>,
    message: String,
    up_for: Duration,
    /// A new certificate was shown, and led to no session.
    is_next_of_no_use: bool,
}

impl Ended {
    fn without_tls(certificates: &Certificates, shown: Shown, reason: Reason) -> Ended {
        let message = format!("no TLS: {reason}");
        certificates.failed(shown, Some(message.clone()));
        let is_next_of_no_use = shown == Shown::Next;
        Ended { reason: Some(reason), message, up_for: Duration::ZERO, is_next_of_no_use }
    }
}

/// One connection from start to end.
async fn connect(
    identity: &Identity,
    certificates: &Certificates,
    faults: &Faults,
    events: &UnboundedSender<LinkEvent>,
) -> Ended {
    let (shown, credentials) = match certificates.choose() {
        Ok(chosen) => chosen,
        Err(reason) => return Ended::without_tls(certificates, Shown::Current, reason),
    };
    let tls = match DeviceTls::of(&credentials, SystemTime::now()) {
        Ok(tls) => tls,
        Err(reason) => return Ended::without_tls(certificates, shown, reason),
    };
    let socket = Socket::default();
    let mut options = mqtt_options(identity, tls);
    let own = socket.clone();
    options.set_socket_connector(move |broker, _| own.clone().connect(broker));
    let (client, mut connection) = AsyncClient::builder(options).capacity(QUEUE).build();
    let mut up_since = None;
    let mut cut = pin!(faults.session_cut());
    let error = loop {
        let event = tokio::select! {
            event = connection.poll() => event,
            () = &mut cut => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        };
        match event {
            Ok(Event::Incoming(Incoming::ConnAck(answer)))
                if answer.code == ConnectReturnCode::Success =>
            {
                up_since = Some(Instant::now());
                certificates.worked(shown);
                if events.send(LinkEvent::Up(client.clone())).is_err() {
                    break ConnectionError::RequestsDone;
                }
            }
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                let payload = message.payload.to_vec();
                let _ = events.send(LinkEvent::Message { topic, payload });
            }
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    drop(connection);
    if matches!(error, ConnectionError::RequestsDone) {
        // We said DISCONNECT; the broker should get to read it.
        let _ = timeout(END_LIMIT, socket.end()).await;
    }
    let reason = tls::reason_in(&error).or(match up_since {
        Some(_) => None,
        None => Some(Reason::BrokerUnreachable),
    });
    let (message, up_for) = (error.to_string(), up_since.map_or(Duration::ZERO, |s| s.elapsed()));
    if up_since.is_none() {
        certificates.failed(shown, is_refusal(&error).then(|| message.clone()));
    }
    let is_next_of_no_use = up_since.is_none() && shown == Shown::Next;
    Ended { reason, message, up_for, is_next_of_no_use }
}

/// Whether it is the certificates that one side does not take.
fn is_refusal(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionRefused(_))
        || tls::is_alert(error)
        || tls::reason_in(error).is_some()
}

/// A second handle to the socket of a connection, which ends it after the client let go.
///
/// A socket that is closed while something unread is in it takes back what it has not
/// sent yet, and a broker drops what it has not read of a session that begins anew.
#[derive(Clone, Debug, Default)]
struct Socket(Arc<Mutex<Option<std::net::TcpStream>>>);

impl Socket {
    async fn connect(self, broker: String) -> io::Result<TcpStream> {
        let mut failed = io::ErrorKind::NotFound.into();
        for address in lookup_host(broker).await? {
            match timeout(ADDRESS_LIMIT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.keep(stream),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }

    fn keep(&self, stream: TcpStream) -> io::Result<TcpStream> {
        // Messages are small and few: none waits for another to fill a packet.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        *self.0.lock().expect("nothing panics while it holds the lock") = Some(stream.try_clone()?);
        TcpStream::from_std(stream)
    }

    /// Sends the last bytes, and waits until the other side has read them and closed too.
    async fn end(self) -> io::Result<()> {
        let kept = self.0.lock().expect("nothing panics while it holds the lock").take();
        let Some(stream) = kept else { return Ok(()) };
        stream.shutdown(Shutdown::Write)?;
        let mut stream = TcpStream::from_std(stream)?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok(())
    }
}

fn mqtt_options(identity: &Identity, tls: DeviceTls) -> MqttOptions {
    let broker = (identity.mqtt_host.clone(), identity.mqtt_port);
    // Read anew for each connection, it has no session to go on with, and keeps none.
    let mut config = Arc::unwrap_or_clone(tls.own);
    config.resumption = Resumption::disabled();
    let tls = TlsConfiguration::Rustls(Arc::new(config));
    let mut options = MqttOptions::new(identity.thing.as_str(), broker);
    options.set_transport(Transport::tls_with_config(tls));
    options.set_keep_alive(KEEP_ALIVE_S);
    options.set_connect_timeout(Duration::from_secs(CONNECT_LIMIT_S));
    options.set_session_mode(SessionMode::Persistent);
    options.set_session_expiry_interval(Some(EXPIRY_S));
    options.set_session_store_arc(Arc::new(EmptySession));
    options.set_outgoing_inflight_upper_limit(IN_FLIGHT);
    options.set_max_packet_size(Some(PACKET_BYTES_MAX));
    options
}
