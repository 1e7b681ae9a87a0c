//! Threads for what takes a core for long, which give way to all other work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::OperationError;

/// How nice they are, of 19: whatever else wants their core has nine tenths of it at once, and
/// they never starve.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// End with the work that waits for them, when this is dropped.
pub(super) struct Hashers(Sender<Work>);

impl Hashers {
    /// So many threads.
    pub(super) fn start(count: usize) -> Result<Hashers, OperationError> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count {
            let receiver = receiver.clone();
            std::thread::Builder::new()
                .name("hasher".to_owned())
                .spawn(move || work_off(&receiver))
                .map_err(|error| OperationError::Hash(error.into()))?;
        }
        Ok(Hashers(sender))
    }

    /// What the work answers, once a thread has had time for it. It is done even if nobody waits
    /// for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OperationError> {
        let (tell, told) = oneshot::channel();
        let work = move || {
            // Nobody may wait any more.
            let _ = tell.send(work());
        };
        // Without threads the work is dropped, and that is told below.
        let _ = self.0.send(Box::new(work));
        told.await.map_err(|error| OperationError::Hash(error.into()))
    }
}

fn work_off(queue: &Mutex<Receiver<Work>>) {
    give_way();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // Who waits learns of it, because the answer never comes; the thread is needed again.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

/// Lowers the priority of this thread: on Linux it belongs to a thread, and elsewhere to the
/// process, which keeps its own.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "sign-ins cannot give way to other work");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn they_give_way_and_nobody_else_does() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let hashers = Hashers::start(1).unwrap();
        assert_eq!(hashers.run(priority).await.unwrap(), NICENESS.max(before));
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn work_that_panics_is_told_and_ends_no_thread() {
        let hashers = Hashers::start(1).unwrap();
        let failed = hashers.run(|| panic!("nobody's fault")).await;
        assert!(failed.is_err());
        assert_eq!(hashers.run(|| 7).await.unwrap(), 7);
    }
}
