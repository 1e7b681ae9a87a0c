//! TLS, and whom it proved to be on the other side.

use std::io;
use std::sync::Arc;
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

/// How long a client may take for the handshake; a slow radio link takes two or three seconds.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// Plain text that TLS holds for a slow client; its default is four times that.
const TLS_BUFFER_BYTES: usize = 16 * 1024;

/// Admits a connection and shakes hands.
#[derive(Clone)]
pub(super) struct Handshake {
    admission: Admission,
    acceptor: TlsAcceptor,
}

impl Handshake {
    /// With this configuration, offering these protocols.
    pub(super) fn new(
        admission: Admission,
        config: &Arc<ServerConfig>,
        protocols: &[&[u8]],
    ) -> Handshake {
        let mut config = ServerConfig::clone(config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Handshake { admission, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Handshake {
    type Stream = TlsStream<TcpStream>;
    type Service = Identified<Admitted<S>>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = self.admission.accept(stream, service);
        let acceptor = self.acceptor.clone();
        async move {
            let (stream, service) = admitted.await?;
            let handshake = acceptor.accept_with(stream, |connection| {
                connection.set_buffer_limit(Some(TLS_BUFFER_BYTES));
            });
            let stream = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await??;
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(|chain| chain.first());
            let peer = certificate.map(|der| PeerCertificate::read(der)).transpose();
            let peer = peer.map_err(io::Error::other)?;
            Ok((stream, Identified { service, peer: peer.map(Arc::new) }))
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
