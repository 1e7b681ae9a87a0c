//! A connection below MQTT.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use otaru_doors::{Place, Standing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that ends with the certificate it stands on, and is half-way in until it is
/// answered for the first time.
pub(crate) struct Wire<T> {
    /// Gone when the certificate is: rmqtt keeps the connection of a session that others wait
    /// for, and could not close what it cannot write to any more.
    transport: Option<T>,
    standing: Standing,
    /// Before the first answer, which is the CONNACK.
    place: Option<Place>,
}

impl<T: Unpin> Wire<T> {
    pub(crate) fn new(transport: T, standing: Standing, place: Place) -> Wire<T> {
        Wire { transport: Some(transport), standing, place: Some(place) }
    }

    fn transport(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut T>> {
        if let Err(error) = self.standing.check(context) {
            self.transport = None;
            return Err(error);
        }
        let transport = self.transport.as_mut().map(Pin::new);
        transport.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.transport(context)?.poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.place = None;
        self.transport(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport(context)?.poll_shutdown(context)
    }
}
