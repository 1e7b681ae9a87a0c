use std::{
    path::Path,
    sync::{Arc, mpsc as std_mpsc},
};

use otaru_wire::ShadowId;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Notice, StoreError, Tx,
    connection::Address,
    migrations, reader,
    standing::Standing,
    writer::{Attempt, Job, Writer},
};

/// Work that may wait for the writer before callers are held back.
const QUEUE: usize = 4_096;

/// Reader threads: enough that one slow list does not hold up a phone.
const READERS: usize = 4;

/// Which database engine is behind a [`Store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default: one file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Job>,
    reads: Arc<std_mpsc::Sender<reader::Job>>,
    notices: mpsc::UnboundedSender<Notice>,
    engine: Engine,
    standing: Standing,
}

impl Store {
    /// Opens (and creates or migrates) the database at `url`: `sqlite:PATH` or `postgres://…`.
    ///
    /// What committed work wants told comes out of the returned receiver, in commit order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened, [`StoreError::InUse`] when another
    /// server has it open, [`StoreError::NewerSchema`] when a newer Otaru wrote it.
    pub async fn open(url: &str) -> Result<(Store, mpsc::UnboundedReceiver<Notice>), StoreError> {
        let address = Address::parse(url)?;
        let engine = match address {
            Address::Sqlite(_) => Engine::Sqlite,
            Address::Postgres(_) => Engine::Postgres,
        };
        let (writes, jobs) = mpsc::channel(QUEUE);
        let (told, notices) = mpsc::unbounded_channel();
        let (opened, wait) = oneshot::channel();
        // The writer opens its own connection: PostgreSQL's client must not be made or
        // used on a thread of the async runtime.
        let (thread_address, writer_told) = (address.clone(), told.clone());
        let standing = Standing::default();
        let writer_standing = standing.clone();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let connection = thread_address.writer().and_then(|mut connection| {
                    migrations::apply(&mut connection)?;
                    Ok(connection)
                });
                match connection {
                    Ok(connection) => {
                        let _ = opened.send(Ok(()));
                        let told = writer_told;
                        Writer::new(thread_address, connection, jobs, told, writer_standing).run();
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                    }
                }
            })
            .map_err(StoreError::unavailable)?;
        wait.await.map_err(|_| StoreError::Closed)??;
        let reads = Arc::new(reader::start(&address, READERS)?);
        Ok((Store { writes, reads, notices: told, engine, standing }, notices))
    }

    /// The URL of the SQLite database in a file.
    pub fn sqlite_url(path: &Path) -> String {
        format!("sqlite:{}", path.display())
    }

    /// For answers to work that failed: whatever is sent comes out with the committed notices.
    pub fn notice_sender(&self) -> mpsc::UnboundedSender<Notice> {
        self.notices.clone()
    }

    /// A number that is another one after each commit of this server that may have changed who
    /// may do or fetch what, from before that commit's callers are answered. An answer that was
    /// read after the number was asked for holds for as long as it stays the same.
    pub fn standing(&self) -> u64 {
        self.standing.now()
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs `work` atomically and returns once its outcome is durable.
    ///
    /// An error from `work` undoes all it did. `work` runs on the writer's thread:
    /// it must not block on anything but the database.
    ///
    /// # Errors
    /// What `work` returns, or a [`StoreError`] when it could not be run or committed.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, E>>();
        self.enqueue(work, move |outcome| {
            let _ = sender.send(outcome);
        })
        .await?;
        receiver.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Queues `work` and returns as soon as it waits in line; `done` gets its outcome.
    ///
    /// Waits only while the queue is full. Work queued by one caller runs in that order.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the writer is gone.
    pub async fn enqueue<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue(None, work, done).await
    }

    /// As [`Store::enqueue`], for work that begins by asking for this shadow: it is then read
    /// together with those that other waiting work asks for.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the writer is gone.
    pub async fn enqueue_for_shadow<T, E>(
        &self,
        shadow: ShadowId,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue(Some(shadow), work, done).await
    }

    async fn queue<T, E>(
        &self,
        shadow: Option<ShadowId>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // Either `run` answers or `refuse` does; the cell lets both own the callback.
        let done = Arc::new(std::sync::Mutex::new(Some(done)));
        let refused = done.clone();
        let finish = move |outcome: Result<T, E>| {
            if let Some(done) = done.lock().ok().and_then(|mut done| done.take()) {
                done(outcome);
            }
        };
        let job = Job {
            shadow,
            run: Box::new(move |tx| {
                let outcome = work(tx);
                Attempt {
                    keep: outcome.is_ok(),
                    answer: Box::new(move |committed| {
                        finish(match (outcome, committed) {
                            (Ok(_), Err(error)) => Err(error.into()),
                            (outcome, _) => outcome,
                        });
                    }),
                }
            }),
            refuse: Box::new(move |error| {
                if let Some(done) = refused.lock().ok().and_then(|mut done| done.take()) {
                    done(Err(error.into()));
                }
            }),
        };
        self.writes.send(job).await.map_err(|_| StoreError::Closed)
    }

    /// Runs `work` on one consistent state of the database, beside the writer.
    ///
    /// # Errors
    /// What `work` returns, or a [`StoreError`] when it could not be run.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: reader::Job = Box::new(move |tx| {
            let _ = sender.send(match tx {
                Ok(tx) => work(tx),
                Err(error) => Err(error.into()),
            });
        });
        self.reads.send(job).map_err(|_| StoreError::Closed)?;
        receiver.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }
}
