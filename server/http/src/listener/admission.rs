//! Letting connections in: how many, and with which socket settings.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use axum_server::accept::Accept;
use futures::future::Either;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::Draining;
use super::wire::{UNSENT_BYTES, Wire};
use crate::download::LastDownload;
use crate::layers::dress_alone;

/// What the kernel keeps for a connection at most, sent and unsent, also of a client that stops
/// to acknowledge; enough for 4 MB/s over 100 ms. Linux doubles it, and caps it by
/// `net.core.wmem_max`.
const SEND_BUFFER_BYTES: usize = 512 * 1024;

/// Admits connections up to a limit.
#[derive(Clone)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    /// How long sent bytes may stay unacknowledged.
    silence_limit: Duration,
    draining: Draining,
    goes_on: bool,
}

impl Admission {
    pub(super) fn new(
        max_connections: usize,
        silence_limit: Duration,
        draining: Draining,
    ) -> Admission {
        let places = Arc::new(Semaphore::new(max_connections));
        Admission { places, silence_limit, draining, goes_on: true }
    }

    /// Whether connections go on with downloads by themselves.
    pub(super) fn going_on(self, goes_on: bool) -> Admission {
        Admission { goes_on, ..self }
    }

    /// Takes a place for a connection, and sets its socket.
    pub(super) fn admit<S>(&self, stream: &TcpStream, service: S) -> io::Result<Admitted<S>> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| io::Error::other("too many connections"))?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        socket.set_tcp_user_timeout(Some(self.silence_limit))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        let last = self.goes_on.then(LastDownload::default);
        Ok(Admitted { service, draining: self.draining.clone(), last, _place: Arc::new(place) })
    }
}

impl<S> Accept<TcpStream, S> for Admission {
    type Stream = Wire<TcpStream>;
    type Service = Admitted<S>;
    type Future = Ready<io::Result<(Wire<TcpStream>, Admitted<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = self.admit(&stream, service);
        ready(admitted.map(|admitted| (Wire::new(stream, admitted.last_download()), admitted)))
    }
}

/// The service of an admitted connection: keeps its place, tells requests when the listener
/// drains, and goes on with a download by itself.
#[derive(Clone)]
pub(super) struct Admitted<S> {
    service: S,
    draining: Draining,
    last: Option<LastDownload>,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S> Admitted<S> {
    /// What the connection goes on with by itself.
    pub(super) fn last_download(&self) -> Option<LastDownload> {
        self.last.clone()
    }
}

impl<S, B> Service<Request<B>> for Admitted<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let again = self.last.as_ref().and_then(|last| last.answer(&request));
        if let Some(mut response) = again {
            dress_alone(&mut response);
            return Either::Left(ready(Ok(response)));
        }
        let extensions = request.extensions_mut();
        extensions.insert(self.draining.clone());
        if let Some(last) = &self.last {
            extensions.insert(last.clone());
        }
        Either::Right(self.service.call(request))
    }
}
