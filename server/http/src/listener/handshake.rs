//! TLS, and whom it proved to be on the other side.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum_server::accept::Accept;
use futures::FutureExt;
use futures::future::BoxFuture;
use otaru_operations::PeerCertificate;
use rustls::ServerConfig;
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

/// Admits a connection and shakes hands.
#[derive(Clone)]
pub(super) struct Handshake {
    admission: Admission,
    tls: TlsPort,
}

impl Handshake {
    pub(super) fn new(admission: Admission, tls: TlsPort) -> Handshake {
        Handshake { admission, tls }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Handshake {
    type Stream = Wire<TlsStream<TcpStream>>;
    type Service = Identified<Admitted<S>>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = self.admission.admit(&stream, service);
        let acceptor = self.tls.acceptor();
        async move {
            let service = admitted?;
            let handshake = acceptor.accept_with(stream, |connection| {
                connection.set_buffer_limit(Some(SLOW_BUFFER_BYTES));
            });
            let stream = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await??;
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(|chain| chain.first());
            let peer = certificate.map(|der| PeerCertificate::read(der)).transpose();
            let peer = peer.map_err(io::Error::other)?;
            let wire = Wire::new(stream, service.last_download());
            Ok((wire, Identified { service, peer: peer.map(Arc::new) }))
        }
        .boxed()
    }
}

/// The service of a connection over TLS: requests carry its [`PeerCertificate`].
#[derive(Clone)]
pub(super) struct Identified<S> {
    service: S,
    peer: Option<Arc<PeerCertificate>>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Identified<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(Arc::clone(peer));
        }
        self.service.call(request)
    }
}
