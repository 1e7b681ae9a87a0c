//! TLS that collects more for a client that takes what it is sent at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Plain text that TLS holds for a slow client; its default is four times that.
pub(super) const SLOW_BUFFER_BYTES: usize = 16 * 1024;

/// What it encrypts before it writes, for a quick one: so many records leave in one call.
const QUICK_BUFFER_BYTES: usize = 64 * 1024;

/// Who takes so many bytes without a wait is quick. A slow client's window and what the kernel
/// takes beyond it are less.
const QUICK_FROM_BYTES: usize = 128 * 1024;

/// A connection over TLS.
pub(super) struct Wire {
    tls: TlsStream<TcpStream>,
    /// Since the socket was last full.
    taken_bytes: usize,
    is_quick: bool,
}

impl Wire {
    pub(super) fn new(tls: TlsStream<TcpStream>) -> Wire {
        Wire { tls, taken_bytes: 0, is_quick: false }
    }

    /// Learns from what became of a write.
    fn learn(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.taken_bytes = self.taken_bytes.saturating_add(*bytes);
        }
        let tls = self.tls.get_mut().1;
        let is_quick = self.taken_bytes >= QUICK_FROM_BYTES;
        let is_full = written.is_pending() || tls.wants_write();
        if is_full {
            self.taken_bytes = 0;
        }
        if is_quick != self.is_quick && (is_quick || is_full) {
            self.is_quick = is_quick;
            let limit = if is_quick { QUICK_BUFFER_BYTES } else { SLOW_BUFFER_BYTES };
            tls.set_buffer_limit(Some(limit));
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write(context, bytes);
        self.learn(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write_vectored(context, slices);
        self.learn(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
