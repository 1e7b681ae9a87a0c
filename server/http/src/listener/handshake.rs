//! TLS, and whom it proved to be on the other side.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum_server::accept::Accept;
use futures::FutureExt;
use futures::future::BoxFuture;
use otaru_doors::{DeviceTrust, KnockLimits, Knocking, PeerCertificate, Place};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;

use super::admission::{Admission, Admitted};
use super::wire::{SLOW_BUFFER_BYTES, Wire};

/// How long a client may take for the handshake; a slow radio link takes two or three seconds.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// The TLS settings of a port, which can be replaced while it serves. Clones are the same.
#[derive(Clone)]
pub struct TlsPort {
    acceptor: Arc<RwLock<TlsAcceptor>>,
    protocols: Arc<[Vec<u8>]>,
}

impl TlsPort {
    /// With this configuration, offering these protocols.
    pub(super) fn new(config: &Arc<ServerConfig>, protocols: &[&[u8]]) -> TlsPort {
        let protocols: Arc<[Vec<u8>]> = protocols.iter().map(|name| name.to_vec()).collect();
        let acceptor = Arc::new(RwLock::new(acceptor(config, &protocols)));
        TlsPort { acceptor, protocols }
    }

    /// Connections to come shake hands with this configuration; those that stand go on.
    pub fn replace(&self, config: &Arc<ServerConfig>) {
        let acceptor = acceptor(config, &self.protocols);
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(config: &Arc<ServerConfig>, protocols: &[Vec<u8>]) -> TlsAcceptor {
    let mut config = ServerConfig::clone(config);
    config.alpn_protocols = protocols.to_vec();
    TlsAcceptor::from(Arc::new(config))
}

/// Admits a connection, shakes hands, and asks whose certificate it has.
#[derive(Clone)]
pub(super) struct Handshake {
    admission: Admission,
    tls: TlsPort,
    knocking: Knocking,
    /// None where nobody is asked for a certificate.
    trust: Option<DeviceTrust>,
}

impl Handshake {
    pub(super) fn new(
        admission: Admission,
        tls: TlsPort,
        knocks: KnockLimits,
        trust: Option<DeviceTrust>,
    ) -> Handshake {
        Handshake { admission, tls, knocking: Knocking::new(knocks), trust }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Handshake {
    type Stream = Wire<TlsStream<TcpStream>>;
    type Service = Identified<Admitted<S>>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.place(&stream);
        let admitted = place.and_then(|place| Ok((self.admission.admit(&stream, service)?, place)));
        let (acceptor, trust) = (self.tls.acceptor(), self.trust.clone());
        async move {
            let (service, place) = admitted?;
            let handshake = acceptor.accept_with(stream, |connection| {
                connection.set_buffer_limit(Some(SLOW_BUFFER_BYTES));
            });
            let stream = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await??;
            let shown = match trust.as_ref().zip(stream.get_ref().1.peer_certificates()) {
                Some((trust, chain)) => Some(judged(trust, chain, acceptor.config())?),
                None => None,
            };
            let standing = trust.zip(shown.as_ref()).map(|(trust, shown)| trust.stand(shown));
            let wire = Wire::new(stream, service.last_download());
            let wire = wire.half_way_in(place).standing_on(standing);
            Ok((wire, Identified { service, certificate: shown.map(Arc::new) }))
        }
        .boxed()
    }
}

impl Handshake {
    /// A place half-way in, which the connection has until its first answer.
    fn place(&self, stream: &TcpStream) -> io::Result<Place> {
        let place = self.knocking.place(stream.peer_addr()?.ip());
        place.ok_or_else(|| io::Error::other("too many connections are half-way in"))
    }
}

/// Who it is. Asked after every handshake: a session that is resumed was believed when it began.
fn judged(
    trust: &DeviceTrust,
    chain: &[CertificateDer<'static>],
    config: &ServerConfig,
) -> io::Result<PeerCertificate> {
    let now = config.time_provider.current_time();
    let now = now.ok_or_else(|| io::Error::other("the time is not known"))?;
    trust.judge(chain, now).map_err(io::Error::other)
}

/// The service of a connection over TLS: requests carry its [`PeerCertificate`].
#[derive(Clone)]
pub(super) struct Identified<S> {
    service: S,
    certificate: Option<Arc<PeerCertificate>>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Identified<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        self.service.call(request)
    }
}
