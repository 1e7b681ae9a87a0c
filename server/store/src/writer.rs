//! The one writer: whoever waits shares the next commit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use otaru_wire::ShadowId;
use tokio::sync::mpsc;

use crate::{
    Notice, StoreError, Tx,
    connection::{Address, Connection},
    standing::Standing,
    tx::{Caches, Savepoint},
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
    /// The shadow it will ask for first, which is then read with those of others.
    pub(crate) shadow: Option<ShadowId>,
    pub(crate) run: Box<dyn FnOnce(&mut Tx<'_>) -> Attempt + Send>,
    /// Answers the caller when the work could not even begin.
    pub(crate) refuse: Box<dyn FnOnce(StoreError) + Send>,
}

pub(crate) struct Writer {
    address: Address,
    connection: Connection,
    jobs: mpsc::Receiver<Job>,
    notices: mpsc::UnboundedSender<Notice>,
    /// Taken from the queue, not begun.
    waiting: VecDeque<Job>,
    caches: Caches,
    /// The last commit failed, and it may come to light only now whether it happened.
    is_uncertain: bool,
    standing: Standing,
    /// The commit under way changes it.
    changes_standing: bool,
}

impl Writer {
    pub(crate) fn new(
        address: Address,
        connection: Connection,
        jobs: mpsc::Receiver<Job>,
        notices: mpsc::UnboundedSender<Notice>,
        standing: Standing,
    ) -> Writer {
        let (waiting, caches) = (VecDeque::new(), Caches::default());
        Writer {
            address,
            connection,
            jobs,
            notices,
            waiting,
            caches,
            is_uncertain: false,
            standing,
            changes_standing: false,
        }
    }

    /// Works until every sender is gone.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.waiting.pop_front().or_else(|| self.jobs.blocking_recv()) {
            if let Err(error) = self.begin() {
                tracing::error!(error = &error as &dyn std::error::Error, "Cannot begin a commit");
                (first.refuse)(error);
                continue;
            }
            // What the lost session did is decided once this one may write.
            if std::mem::take(&mut self.is_uncertain) {
                self.standing.changed();
                let _ = self.notices.send(Notice::CommitUncertain);
            }
            self.waiting.push_front(first);
            self.commit_batch();
            self.caches.clear();
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

    fn commit_batch(&mut self) {
        let mut answers = Vec::new();
        let mut notices = Vec::new();
        let mut stands = Ok(());
        while stands.is_ok() && self.take_waiting(BATCH - answers.len()) {
            stands = self.read_ahead();
            while stands.is_ok()
                && let Some(job) = self.waiting.pop_front()
            {
                let (answer, after) = self.run_one(job, &mut notices);
                answers.push(answer);
                stands = after;
            }
        }
        let committed = stands.and_then(|()| self.caches.flush(&mut self.connection));
        let committed = committed.and_then(|()| {
            let committed = self.connection.batch("COMMIT");
            self.is_uncertain = committed.is_err();
            committed
        });
        // Whether it happened or not; and before anybody hears that it did.
        if std::mem::take(&mut self.changes_standing) {
            self.standing.changed();
        }
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

    /// Takes at most so much work from the queue; whether there is any to do.
    fn take_waiting(&mut self, most: usize) -> bool {
        while self.waiting.len() < most
            && let Ok(job) = self.jobs.try_recv()
        {
            self.waiting.push_back(job);
        }
        most > 0 && !self.waiting.is_empty()
    }

    /// Reads the shadows that the waiting work will ask for, all at once.
    fn read_ahead(&mut self) -> Result<(), StoreError> {
        let asked = || self.waiting.iter().filter_map(|job| job.shadow.as_ref());
        let things = asked().filter(|shadow| shadow.name.is_none()).map(|shadow| &shadow.thing);
        let connection = &mut self.connection;
        let read = self.caches.shadows.read_ahead(connection, asked());
        let read = read.and_then(|()| self.caches.devices.read_ahead(connection, things));
        if let Err(error) = &read
            && let Some(first) = self.waiting.pop_front()
        {
            // Somebody hears of it, so that what fails again does not wait for ever.
            (first.refuse)(StoreError::unavailable(error.to_string()));
        }
        read
    }

    /// Runs one job so that its failure undoes only itself.
    ///
    /// The second value says whether the batch still stands. When it does not, it must not be
    /// committed: PostgreSQL answers COMMIT of a broken transaction with success and stores
    /// nothing, and SQLite, which takes a whole transaction back when the disk is full, would
    /// begin and commit another one for each savepoint that follows.
    fn run_one(&mut self, job: Job, notices: &mut Vec<Notice>) -> (Answer, Result<(), StoreError>) {
        let mut tx = Tx::writing(&mut self.connection, &mut self.caches);
        let Job { run, refuse, .. } = job;
        let attempt = catch_unwind(AssertUnwindSafe(|| run(&mut tx)));
        let (told, savepoint) = (std::mem::take(&mut tx.notices), tx.savepoint);
        self.changes_standing |= tx.changes_standing;
        let Ok(Attempt { keep, answer }) = attempt else {
            // Whoever waits for an answer has one, whatever went wrong.
            return (Box::new(|_| refuse(StoreError::Closed)), self.undo(savepoint));
        };
        if !keep || savepoint == Savepoint::Failed {
            return (answer, self.undo(savepoint));
        }
        let kept = match savepoint {
            Savepoint::Set => self.connection.batch("RELEASE job"),
            _ => Ok(()),
        };
        match kept {
            Ok(()) => {
                self.caches.keep();
                notices.extend(told);
                (answer, Ok(()))
            }
            // The work went on after a statement had failed: what it says it did is not there.
            Err(error) => (Box::new(move |_| answer(Err(error))), self.undo(savepoint)),
        }
    }

    fn undo(&mut self, savepoint: Savepoint) -> Result<(), StoreError> {
        self.caches.undo();
        match savepoint {
            Savepoint::Set => self.connection.batch("ROLLBACK TO job; RELEASE job"),
            Savepoint::Failed => Err(StoreError::unavailable("a savepoint could not be set")),
            Savepoint::Due | Savepoint::Needless => Ok(()),
        }
    }
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

#[cfg(test)]
mod tests;
