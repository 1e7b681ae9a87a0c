//! A connection below HTTP: it collects more for a client that takes what it is sent at once,
//! and goes on with a download by itself.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use otaru_doors::{Place, Standing};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::head_timer::say_whether_owed;
use crate::download::{Answer, LastDownload, Repeats};

/// What the kernel takes of an answer beyond what the client's window has room for. Without a
/// bound, 2,000 slow clients held 2.2 GiB of it. Bounding the socket's buffer as a whole as low
/// costs quick clients: with 32 KiB they got 2 MB/s each, one acknowledgement after the other.
pub(super) const UNSENT_BYTES: u32 = 64 * 1024;

/// What is encrypted at once for a slow client. The kernel says that it has room when less than
/// half of [`UNSENT_BYTES`] is left, and then takes the other half.
pub(super) const SLOW_BUFFER_BYTES: usize = 32 * 1024;

/// What is encrypted before it is written, for a quick one: so many records leave in one call.
const QUICK_BUFFER_BYTES: usize = 64 * 1024;

/// Who takes so many bytes without a wait is quick. A slow client's window and what the kernel
/// takes beyond it are less.
const QUICK_FROM_BYTES: usize = 192 * 1024;

/// What carries the bytes: the socket, or TLS over it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Waits until the socket has room, without preparing a byte for it.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether it took bytes that the socket had no room for.
    fn holds_bytes(&self) -> bool;

    /// Says whether the client is quick.
    fn suit(&mut self, is_quick: bool);
}

impl Transport for TcpStream {
    fn poll_room(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It prepares nothing.
        Poll::Ready(Ok(()))
    }

    fn holds_bytes(&self) -> bool {
        false
    }

    fn suit(&mut self, _is_quick: bool) {}
}

impl Transport for TlsStream<TcpStream> {
    /// What is encrypted too early waits in memory, and has to be fetched from far away by the
    /// processor when its time has come.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.holds_bytes() {
            ready!(Pin::new(&mut *self).poll_flush(context))?;
        }
        let (socket, _) = self.get_ref();
        loop {
            ready!(socket.poll_write_ready(context))?;
            match socket.try_io(Interest::WRITABLE, || require_room(socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                found => return Poll::Ready(found),
            }
        }
    }

    fn holds_bytes(&self) -> bool {
        self.get_ref().1.wants_write()
    }

    fn suit(&mut self, is_quick: bool) {
        let limit = if is_quick { QUICK_BUFFER_BYTES } else { SLOW_BUFFER_BYTES };
        self.get_mut().1.set_buffer_limit(Some(limit));
    }
}

/// Fails as a write would where there is no room; the kernel then tells, as after one, when
/// there is.
fn require_room(socket: &TcpStream) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut asked = [PollFd::new(socket, PollFlags::OUT)];
    match retry_on_intr(|| poll(&mut asked, Some(&now)))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// A connection.
pub(super) struct Wire<T> {
    transport: T,
    /// Since the socket was last full.
    taken_bytes: usize,
    is_quick: bool,
    /// None where every request is for HTTP.
    repeats: Option<Repeats>,
    /// Under way below HTTP.
    answer: Option<Answer>,
    /// Before the first answer.
    place: Option<Place>,
    /// None without a certificate.
    standing: Option<Standing>,
}

impl<T: Transport> Wire<T> {
    /// With what it goes on by itself, if it does.
    pub(super) fn new(transport: T, last: Option<LastDownload>) -> Wire<T> {
        let repeats = last.map(Repeats::new);
        Wire {
            transport,
            taken_bytes: 0,
            is_quick: false,
            repeats,
            answer: None,
            place: None,
            standing: None,
        }
    }

    /// It has this place until it is answered for the first time.
    pub(super) fn half_way_in(self, place: Place) -> Wire<T> {
        Wire { place: Some(place), ..self }
    }

    /// It ends with the certificate it stands on.
    pub(super) fn standing_on(self, standing: Option<Standing>) -> Wire<T> {
        Wire { standing, ..self }
    }

    fn check(&self, context: &mut Context<'_>) -> io::Result<()> {
        self.standing.as_ref().map_or(Ok(()), |standing| standing.check(context))
    }

    /// Writes the answer that is under way, if one is.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut answer) = self.answer.take() else { return Poll::Ready(Ok(())) };
        let written = self.poll_words(context, &mut answer);
        if !matches!(written, Poll::Ready(Ok(()))) {
            self.answer = Some(answer);
        }
        written
    }

    fn poll_words(
        &mut self,
        context: &mut Context<'_>,
        answer: &mut Answer,
    ) -> Poll<io::Result<()>> {
        while !answer.is_written() {
            let written = ready!(self.poll_transport(context, &answer.left()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.advance(written);
        }
        Pin::new(&mut self.transport).poll_flush(context)
    }

    /// Writes what HTTP has.
    fn poll_write_slices(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_answer(context))?;
        let bytes = ready!(self.poll_transport(context, slices))?;
        if let Some(repeats) = &mut self.repeats {
            repeats.written(slices, bytes);
        }
        Poll::Ready(Ok(bytes))
    }

    /// Writes where there is room, and learns from what becomes of it.
    fn poll_transport(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        self.place = None;
        let room = match self.is_quick {
            true => Poll::Ready(Ok(())),
            false => self.transport.poll_room(context),
        };
        let written = match room {
            Poll::Ready(Ok(())) => {
                Pin::new(&mut self.transport).poll_write_vectored(context, slices)
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        self.learn(&written);
        written
    }

    /// Learns from what became of a write.
    fn learn(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.taken_bytes = self.taken_bytes.saturating_add(*bytes);
        }
        let is_quick = self.taken_bytes >= QUICK_FROM_BYTES;
        let is_full = written.is_pending() || self.transport.holds_bytes();
        if is_full {
            self.taken_bytes = 0;
        }
        if is_quick != self.is_quick && (is_quick || is_full) {
            self.is_quick = is_quick;
            self.transport.suit(is_quick);
        }
    }
}

impl<T: Transport> Wire<T> {
    fn poll_read_or_answer(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        self.check(context)?;
        loop {
            ready!(self.poll_answer(context))?;
            ready!(Pin::new(&mut self.transport).poll_read(context, buffer))?;
            let read = &buffer.filled()[before..];
            self.answer = self.repeats.as_mut().and_then(|repeats| repeats.read(read));
            if self.answer.is_none() {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

impl<T: Transport> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll_read_or_answer(context, buffer);
        say_whether_owed(self.answer.is_some());
        read
    }
}

impl<T: Transport> AsyncWrite for Wire<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(context))?;
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(context))?;
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
