//! How long HTTP waits for the head of a request: only while its client is owed no answer.
//!
//! HTTP has its timer begin when it has written an answer, and knows nothing of those that are
//! given below it. A client that asked ahead and reads slowly would be ended in the middle of one,
//! with its next request waiting in the socket. Who takes nothing of an answer is ended by the
//! socket, which sees what is acknowledged.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

thread_local! {
    /// Whether the client of the connection that this thread read from last is still owed bytes.
    /// HTTP asks its timer right after it has read in vain, so it is the same connection.
    static IS_OWED: Cell<bool> = const { Cell::new(false) };
}

/// Says of the connection that is being read from whether its client is still owed bytes of an
/// answer below HTTP.
pub(super) fn say_whether_owed(is_owed: bool) {
    IS_OWED.set(is_owed);
}

/// What was said last.
pub(super) fn is_owed() -> bool {
    IS_OWED.get()
}

/// The timer of HTTP/1, which uses it for heads alone.
#[derive(Clone, Copy)]
pub(super) struct HeadTimer;

impl Timer for HeadTimer {
    fn sleep(&self, limit: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Patience { limit, sleep: Box::pin(tokio::time::sleep(limit)) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Ends after a time in which the client was owed nothing at its end.
struct Patience {
    limit: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            if !is_owed() {
                return Poll::Ready(());
            }
            let anew = tokio::time::Instant::now() + self.limit;
            self.sleep.as_mut().reset(anew);
        }
    }
}

impl Sleep for Patience {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_begins_anew_while_the_client_is_owed_bytes() {
        let limit = Duration::from_secs(75);
        let mut patience = HeadTimer.sleep_until(HeadTimer.now() + limit);
        let ends_within = async |patience: &mut Pin<Box<dyn Sleep>>, seconds| {
            tokio::time::timeout(Duration::from_secs(seconds), patience).await.is_ok()
        };
        say_whether_owed(true);
        assert!(!ends_within(&mut patience, 200).await);
        say_whether_owed(false);
        assert!(ends_within(&mut patience, 74).await, "it began anew 50 s ago");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_in_time_where_nothing_is_owed() {
        say_whether_owed(false);
        let begun_at = HeadTimer.now();
        HeadTimer.sleep(Duration::from_secs(75)).await;
        assert_eq!((HeadTimer.now() - begun_at).as_secs(), 75);
    }
}
