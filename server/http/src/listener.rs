//! Serving a router on a port: plain, TLS for people, TLS for devices.
//!
//! Binding comes first and serving later, because the addresses that were bound
//! are part of what the routes answer. Slow and dead clients are expected:
//! every wait has a limit and every connection small buffers.

mod admission;
mod handshake;
mod head_timer;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use axum_server::{Handle, Server};
use otaru_doors::{DeviceTrust, KnockLimits};
use rustls::ServerConfig;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use admission::Admission;
use handshake::Handshake;
pub use handshake::TlsPort;
use head_timer::HeadTimer;

/// Connections of one listener beyond which new ones are closed at once. A
/// connection costs about 40 KiB while it downloads.
pub const DEFAULT_MAX_CONNECTIONS: usize = 20_000;

/// Connections waiting to be accepted: after a restart a whole fleet comes back at once.
const BACKLOG: u32 = 4096;

/// Longest request head, and how much of a response is collected before it is written.
const HTTP1_BUFFER_BYTES: usize = 16 * 1024;

/// How long sent bytes may stay unacknowledged or a window closed before the
/// connection counts as dead. A device resumes elsewhere; a client that never
/// reads would hold its place for ever.
const SILENCE_LIMIT: Duration = Duration::from_secs(120);

/// From the accepted (and shaken) connection to the first whole request head.
const FIRST_REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// From one response to the next request head. Above the 60 s after which
/// common proxies close their side, so that they do it and never meet our closing.
const NEXT_REQUEST_LIMIT: Duration = Duration::from_secs(75);

/// How often an HTTP/2 client is asked whether it is still there.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// What stands between the socket and HTTP.
#[derive(Clone)]
pub enum Security {
    /// Nothing: a reverse proxy or this machine.
    Plain,
    /// TLS for browsers and API clients; HTTP/2 offered.
    People(Arc<ServerConfig>),
    /// TLS for devices; HTTP/1.1 only, which costs less per byte. The
    /// configuration should ask for a client certificate without requiring one; whose are believed
    /// is asked again after each handshake.
    Devices(Arc<ServerConfig>, DeviceTrust),
}

/// A bound port that does not serve yet.
pub struct Listener {
    socket: tokio::net::TcpListener,
    address: SocketAddr,
    security: Security,
    max_connections: usize,
    silence_limit: Duration,
    insists_on_tls: bool,
    knocks: KnockLimits,
}

impl Listener {
    /// Binds the address; port 0 picks a free one. Needs a tokio runtime around it.
    pub fn bind(address: SocketAddr, security: Security) -> io::Result<Listener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        Ok(Listener {
            socket,
            address,
            security,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            silence_limit: SILENCE_LIMIT,
            insists_on_tls: false,
            knocks: KnockLimits::USUAL,
        })
    }

    /// Changes how many connections may be open at once.
    pub fn with_max_connections(mut self, max_connections: usize) -> Listener {
        self.max_connections = max_connections;
        self
    }

    /// Changes how many may be half-way in: connected, and not answered yet. Not on a plain port,
    /// where all come from a proxy.
    pub fn with_knocks(mut self, knocks: KnockLimits) -> Listener {
        self.knocks = knocks;
        self
    }

    /// Changes how long a client may acknowledge nothing of what it is sent.
    pub fn with_silence_limit(mut self, silence_limit: Duration) -> Listener {
        self.silence_limit = silence_limit;
        self
    }

    /// Makes browsers insist on TLS that they trust for this name, for a year. Only where the
    /// certificate is one they trust by themselves: with a promise kept, they let nobody pass a
    /// warning, not even to fetch what they should trust, and they hold every other port of the
    /// same name to it.
    pub fn insisting_on_tls(mut self, insists: bool) -> Listener {
        self.insists_on_tls = insists;
        self
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts serving the router.
    pub fn serve(self, router: Router) -> Serving {
        let (draining, is_draining) = watch::channel(false);
        let handle = Handle::new();
        let is_draining = Draining(is_draining);
        let admission = Admission::new(self.max_connections, self.silence_limit, is_draining);
        // What a layer adds to every answer is missing from those that no route makes.
        let admission = admission.going_on(!self.insists_on_tls);
        let server = Server::from_listener(self.socket).handle(handle.clone());
        let (task, tls) = match self.security {
            Security::Plain => {
                let server = tuned(server.acceptor(admission));
                (tokio::spawn(run(server, router)), None)
            }
            Security::People(config) => {
                let tls = TlsPort::new(&config, &[b"h2", b"http/1.1"]);
                let handshake = Handshake::new(admission, tls.clone(), self.knocks, None);
                let router = match self.insists_on_tls {
                    true => router.layer(middleware::from_fn(insist_on_tls)),
                    false => router,
                };
                let router = router.layer(Extension(OverTls));
                (tokio::spawn(run(tuned(server.acceptor(handshake)), router)), Some(tls))
            }
            Security::Devices(config, trust) => {
                let tls = TlsPort::new(&config, &[b"http/1.1"]);
                let trust = Some(trust);
                let handshake = Handshake::new(admission, tls.clone(), self.knocks, trust);
                let server = tuned(server.acceptor(handshake)).http1_only();
                let router = router.layer(Extension(OverTls));
                (tokio::spawn(run(server, router)), Some(tls))
            }
        };
        Serving { address: self.address, handle, task, draining, tls }
    }
}

/// A port being served.
pub struct Serving {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
    draining: watch::Sender<bool>,
    tls: Option<TlsPort>,
}

impl Serving {
    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its TLS settings are replaced; none on a plain port.
    pub fn tls(&self) -> Option<TlsPort> {
        self.tls.clone()
    }

    /// Accepts nothing new, ends the event streams, lets running requests finish
    /// within the limit, then closes what is left.
    pub async fn drain(self, limit: Duration) -> io::Result<()> {
        self.draining.send_replace(true);
        self.handle.graceful_shutdown(Some(limit));
        self.task.await.map_err(io::Error::other)?
    }
}

/// Tells a request that its connection is about to close; streams without an
/// end listen to it.
#[derive(Clone)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Draining {
    /// One that a test begins by sending `true`.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (watch::Sender<bool>, Draining) {
        let (begin, is_draining) = watch::channel(false);
        (begin, Draining(is_draining))
    }

    /// Returns once the listener drains, or is gone.
    pub(crate) async fn begun(mut self) {
        // An error says that the sender was dropped with its listener.
        let _ = self.0.wait_for(|is_draining| *is_draining).await;
    }
}

type Tuned<A> = Server<SocketAddr, A>;

fn tuned<A>(server: Tuned<A>) -> Tuned<A> {
    let mut server = server
        .first_request_timeout(FIRST_REQUEST_LIMIT)
        .accept_error_handler(|client, error| {
            tracing::debug!(client = client.map(tracing::field::display), error = %error, "Connection refused");
        });
    let builder = server.http_builder();
    builder
        .http1()
        .timer(HeadTimer)
        .header_read_timeout(NEXT_REQUEST_LIMIT)
        .max_buf_size(HTTP1_BUFFER_BYTES);
    builder
        .http2()
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_INTERVAL);
    server
}

async fn run<A>(server: Tuned<A>, router: Router) -> io::Result<()>
where
    A: axum_server::accept::Accept<tokio::net::TcpStream, Connected>
        + Clone
        + Send
        + Sync
        + 'static,
    A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    A::Service: axum_server::service::SendService<Request<hyper::body::Incoming>> + Send,
    A::Future: Send,
{
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// What axum makes of the router for one connection.
type Connected = axum::middleware::AddExtension<Router, axum::extract::ConnectInfo<SocketAddr>>;

/// The request came over TLS, which ends here: nobody stands between us and its client.
#[derive(Clone, Copy)]
pub(crate) struct OverTls;

/// Makes browsers stay with TLS. Not for `localhost`, where the promise would
/// cover every other server of the machine.
async fn insist_on_tls(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().host()).unwrap_or("");
    let is_local = host.split(':').next().is_some_and(|name| name == "localhost");
    let mut response = next.run(request).await;
    if !is_local {
        let a_year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    response
}
