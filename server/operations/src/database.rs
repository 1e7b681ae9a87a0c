//! The one way operations reach the store. Who changes something says what, or says why that is
//! nothing for the audit log: there is no third way in.

use otaru_store::{Notice, Store, StoreError, Tx};
use otaru_wire::ShadowId;
use tokio::sync::mpsc;
use tracing::error;

use crate::Clock;
use crate::audit::{self, Entries};

/// The store, without its writer.
pub(crate) struct Database {
    store: Store,
    clock: Clock,
}

impl Database {
    pub(crate) fn new(store: Store, clock: Clock) -> Database {
        Database { store, clock }
    }

    /// As [`Store::read`].
    pub(crate) async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.read(work).await
    }

    /// As [`Store::write`], for work that says what it changed: that is in the audit log with the
    /// change, or neither is there.
    pub(crate) async fn audited<T, E, A>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<(T, A), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        A: Into<Entries>,
    {
        let clock = self.clock.clone();
        self.store.write(move |tx| noted(tx, &clock, work)).await
    }

    /// As [`Database::audited`], for what nobody waits for.
    pub(crate) async fn audited_later<A: Into<Entries>>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<((), A), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let clock = self.clock.clone();
        let done = |outcome: Result<(), StoreError>| {
            if let Err(cause) = outcome {
                let cause = &cause as &dyn std::error::Error;
                error!(error = cause, "An entry of the audit log was not written");
            }
        };
        self.store.enqueue(move |tx| noted(tx, &clock, work), done).await
    }

    /// As [`Store::write`], for work that is nothing for the audit log, or that notes in it what is.
    /// `tests/unaudited.txt` lists who says so, and why.
    pub(crate) async fn unaudited<T, E>(
        &self,
        _why: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.write(work).await
    }

    /// As [`Store::enqueue`], and as [`Database::unaudited`].
    pub(crate) async fn enqueue_unaudited<T, E>(
        &self,
        _why: &'static str,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.enqueue(work, done).await
    }

    /// As [`Store::enqueue_for_shadow`], and as [`Database::unaudited`].
    pub(crate) async fn enqueue_for_shadow_unaudited<T, E>(
        &self,
        _why: &'static str,
        shadow: ShadowId,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.enqueue_for_shadow(shadow, work, done).await
    }

    /// As [`Store::notice_sender`].
    pub(crate) fn notice_sender(&self) -> mpsc::UnboundedSender<Notice> {
        self.store.notice_sender()
    }

    /// As [`Store::standing`].
    pub(crate) fn standing(&self) -> u64 {
        self.store.standing()
    }
}

fn noted<T, E: From<StoreError>, A: Into<Entries>>(
    tx: &mut Tx<'_>,
    clock: &Clock,
    work: impl FnOnce(&mut Tx<'_>) -> Result<(T, A), E>,
) -> Result<T, E> {
    let (done, entries) = work(tx)?;
    for entry in entries.into() {
        audit::note(tx, entry, clock.now_ms())?;
    }
    Ok(done)
}
