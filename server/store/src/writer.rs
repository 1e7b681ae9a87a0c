//! The one writer: whoever waits shares the next commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::mpsc;

use crate::{
    Notice, StoreError, Tx,
    connection::{Address, Connection},
};

/// Most pieces of work in one commit. Above about this the shared sync is already
/// paid for, and a larger batch only delays the first waiting caller.
const BATCH: usize = 2_000;

/// What a piece of work came to, before the commit is known.
pub(crate) struct Attempt {
    /// False when the work failed and its changes must be undone.
    pub(crate) keep: bool,
    /// Tells the caller, with the commit's error if it failed.
    pub(crate) answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// Work waiting for the writer.
pub(crate) struct Job {
    pub(crate) run: Box<dyn FnOnce(&mut Tx<'_>) -> Attempt + Send>,
    /// Answers the caller when the work could not even begin.
    pub(crate) refuse: Box<dyn FnOnce(StoreError) + Send>,
}

pub(crate) struct Writer {
    address: Address,
    connection: Connection,
    jobs: mpsc::Receiver<Job>,
    notices: mpsc::UnboundedSender<Notice>,
    /// The last commit failed, and it may come to light only now whether it happened.
    is_uncertain: bool,
}

impl Writer {
    pub(crate) fn new(
        address: Address,
        connection: Connection,
        jobs: mpsc::Receiver<Job>,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Writer {
        Writer { address, connection, jobs, notices, is_uncertain: false }
    }

    /// Works until every sender is gone.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.jobs.blocking_recv() {
            if let Err(error) = self.begin() {
                tracing::error!(error = &error as &dyn std::error::Error, "Cannot begin a commit");
                (first.refuse)(error);
                continue;
            }
            // What the lost session did is decided once this one may write.
            if std::mem::take(&mut self.is_uncertain) {
                let _ = self.notices.send(Notice::CommitUncertain);
            }
            self.commit_batch(first);
        }
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        match self.connection.begin() {
            // That the server went away is only found out by asking it for something.
            Err(_) if !self.connection.is_usable() => {
                self.connection = self.address.writer()?;
                self.connection.begin()
            }
            begun => begun,
        }
    }

    fn commit_batch(&mut self, first: Job) {
        let mut answers = Vec::new();
        let mut notices = Vec::new();
        let mut next = Some(first);
        let mut stands = Ok(());
        while let Some(job) = next {
            let (answer, after) = run_one(&mut self.connection, job, &mut notices);
            answers.push(answer);
            stands = after;
            let goes_on = stands.is_ok() && answers.len() < BATCH;
            next = if goes_on { self.jobs.try_recv().ok() } else { None };
        }
        let committed = stands.and_then(|()| {
            let committed = self.connection.batch("COMMIT");
            self.is_uncertain = committed.is_err();
            committed
        });
        if let Err(error) = committed {
            tracing::error!(error = &error as &dyn std::error::Error, "A commit failed");
            let _ = self.connection.batch("ROLLBACK");
            if self.is_uncertain {
                let _ = self.notices.send(Notice::CommitUncertain);
            }
            let why = error.to_string();
            for answer in answers {
                answer(Err(StoreError::unavailable(why.clone())));
            }
            return;
        }
        for notice in notices {
            // The receiver ends with the server; then nobody is left to tell.
            let _ = self.notices.send(notice);
        }
        for answer in answers {
            answer(Ok(()));
        }
    }
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs one job inside its own savepoint, so that its failure undoes only itself.
///
/// The second value says whether the batch still stands. When it does not, it must not be
/// committed: PostgreSQL answers COMMIT of a broken transaction with success and stores
/// nothing, and SQLite, which takes a whole transaction back when the disk is full, would
/// begin and commit another one for each savepoint that follows.
fn run_one(
    connection: &mut Connection,
    job: Job,
    notices: &mut Vec<Notice>,
) -> (Answer, Result<(), StoreError>) {
    if let Err(error) = connection.batch("SAVEPOINT job") {
        let why = error.to_string();
        (job.refuse)(error);
        return (Box::new(|_| ()), Err(StoreError::unavailable(why)));
    }
    let mut tx = Tx::new(connection);
    let attempt = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut tx)));
    let told = std::mem::take(&mut tx.notices);
    let Ok(Attempt { keep, answer }) = attempt else {
        // The caller's channel is dropped with the job: it sees `Closed`.
        return (Box::new(|_| ()), undo(connection));
    };
    if !keep {
        return (answer, undo(connection));
    }
    match connection.batch("RELEASE job") {
        Ok(()) => {
            notices.extend(told);
            (answer, Ok(()))
        }
        // The work went on after a statement had failed: what it says it did is not there.
        Err(error) => (Box::new(move |_| answer(Err(error))), undo(connection)),
    }
}

fn undo(connection: &mut Connection) -> Result<(), StoreError> {
    connection.batch("ROLLBACK TO job; RELEASE job")
}

#[cfg(test)]
mod tests;
