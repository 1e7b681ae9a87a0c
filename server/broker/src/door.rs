//! Where connections come in: bound, shaken hands with, and known by their certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use otaru_doors::{DeviceTrust, Knocking, PeerCertificate, Place};
use rmqtt::codec::cert::CertInfo;
use rmqtt::net::{Arrival, Entering, Guest};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::sites::{Sites, Turn};
use crate::wire::Wire;
use crate::{BrokerError, Clock, MqttsListener};

/// How long a client may take for the TLS handshake; a slow radio link takes two or three seconds.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// Connections waiting to be accepted: after a restart a whole fleet comes back at once.
const BACKLOG: u32 = 4096;

/// A bound port, which asks for certificates or does not.
pub(crate) struct Door {
    socket: TcpListener,
    address: SocketAddr,
    gate: Option<Gate>,
}

/// TLS, and whom it lets in.
struct Gate {
    acceptor: RwLock<TlsAcceptor>,
    trust: DeviceTrust,
    knocking: Knocking,
    sites: Arc<Sites>,
}

impl Door {
    /// Binds the port of the devices.
    pub(crate) fn of_devices(config: &MqttsListener, clock: &Clock) -> Result<Door, BrokerError> {
        let MqttsListener { address, tls, trust, knocks, limits } = config;
        let gate = Gate {
            acceptor: RwLock::new(TlsAcceptor::from(tls.clone())),
            trust: trust.clone(),
            knocking: Knocking::new(*knocks),
            sites: Sites::new(limits.site_connects_per_s, clock.clone()),
        };
        Door::bind(*address, Some(gate))
    }

    /// Binds the port of the backends, which asks nobody who they are.
    pub(crate) fn of_backends(address: SocketAddr) -> Result<Door, BrokerError> {
        if !address.ip().is_loopback() {
            return Err(BrokerError::PlainNotLoopback { address });
        }
        Door::bind(address, None)
    }

    fn bind(address: SocketAddr, gate: Option<Gate>) -> Result<Door, BrokerError> {
        let bound = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let socket = socket.listen(BACKLOG)?;
            let address = socket.local_addr()?;
            Ok(Door { socket, address, gate })
        };
        bound().map_err(|source: io::Error| BrokerError::Bind { address, source: source.into() })
    }

    /// Where it is, with the port that was found.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shakes hands in another way from now on.
    pub(crate) fn replace_tls(&self, tls: Arc<ServerConfig>) {
        if let Some(gate) = &self.gate {
            let mut acceptor = gate.acceptor.write().unwrap_or_else(PoisonError::into_inner);
            *acceptor = TlsAcceptor::from(tls);
        }
    }

    /// The next connection that there is room for.
    async fn next(&self) -> io::Result<Arrival> {
        loop {
            let (socket, remote_addr) = self.socket.accept().await?;
            let Some(gate) = &self.gate else {
                let entering = async move {
                    set(&socket)?;
                    Ok(Guest { stream: Box::new(socket), certificate: None })
                };
                return Ok(Arrival { remote_addr, entering: entering.boxed() });
            };
            // Without a place or a turn it is closed at once, which costs least.
            let Some(place) = gate.knocking.place(remote_addr.ip()) else { continue };
            let wait = match gate.sites.turn(remote_addr.ip()) {
                Turn::Now => None,
                Turn::After(wait) => Some(wait),
                Turn::Never => continue,
            };
            return Ok(Arrival { remote_addr, entering: gate.enter(socket, place, wait) });
        }
    }
}

impl rmqtt::net::Door for Door {
    fn accept(&self) -> BoxFuture<'_, io::Result<Arrival>> {
        self.next().boxed()
    }
}

impl Gate {
    fn enter(&self, socket: TcpStream, place: Place, wait: Option<Duration>) -> Entering {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let trust = self.trust.clone();
        async move {
            set(&socket)?;
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
            let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(socket));
            let stream = shaken.await??;
            let now = acceptor.config().time_provider.current_time();
            let now = now.ok_or_else(|| io::Error::other("the time is not known"))?;
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            // Asked again: a session that is resumed was believed when it began.
            let peer = trust.judge(chain, now).map_err(io::Error::other)?;
            let standing = trust.stand(&peer);
            let stream = Box::new(Wire::new(stream, standing, place));
            Ok(Guest { stream, certificate: Some(carried(peer)) })
        }
        .boxed()
    }
}

fn set(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    // How often is the machine's to say; it finds those who are gone behind a router.
    SockRef::from(socket).set_keepalive(true)
}

/// Takes a certificate through rmqtt, which has no place for an issuer and a key: they take the
/// subject's.
fn carried(peer: PeerCertificate) -> CertInfo {
    CertInfo {
        common_name: Some(peer.common_name),
        subject: format!("{} {}", peer.issuer, peer.key_sha256),
        serial: Some(peer.serial),
        organization: peer.organisation,
    }
}

/// The certificate of a client that rmqtt asks about.
pub(crate) fn certificate(carried: &CertInfo) -> Option<PeerCertificate> {
    let (issuer, key_sha256) = carried.subject.split_once(' ')?;
    Some(PeerCertificate {
        common_name: carried.common_name.clone()?,
        issuer: issuer.to_owned(),
        serial: carried.serial.clone()?,
        organisation: carried.organization.clone(),
        key_sha256: key_sha256.to_owned(),
    })
}
