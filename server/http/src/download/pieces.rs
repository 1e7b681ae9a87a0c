//! The bytes of an image as a body.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use otaru_operations::Sender;

use super::{PieceError, log_failure};

/// Bytes of a range that are still to be sent.
struct Pieces {
    left: Range<u64>,
    source: Source,
}

enum Source {
    /// Piece by piece as memory has them, without a wait or an allocation.
    Memory(Sender),
    /// Each in its turn, from wherever it is.
    Waiting(BoxStream<'static, Result<Bytes, PieceError>>),
    Over,
}

/// The body of a range of an image. It never calls itself over before it is asked for more than
/// there is: with the last bytes still waiting for the client, the download has its places.
pub(crate) fn pieces(sender: Sender, range: Range<u64>) -> Body {
    Body::new(Pieces { left: range, source: Source::Memory(sender) })
}

impl Pieces {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, PieceError>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if let Source::Memory(sender) = &self.source
            && let Some(piece) = sender.piece_now(&self.left)
        {
            return Poll::Ready(Some(Ok(piece)));
        }
        self.source = match std::mem::replace(&mut self.source, Source::Over) {
            Source::Memory(sender) => {
                let pieces = sender.pieces(self.left.clone());
                Source::Waiting(pieces.err_into().inspect(log_failure).boxed())
            }
            other => other,
        };
        match &mut self.source {
            Source::Waiting(pieces) => pieces.as_mut().poll_next(context),
            Source::Memory(_) | Source::Over => Poll::Ready(None),
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = PieceError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PieceError>>> {
        let piece = ready!(self.poll_piece(context));
        if let Some(Ok(piece)) = &piece {
            self.left.start += piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}
