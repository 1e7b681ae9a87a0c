//! Which certificate a device shows: the one it has, or a new one that is to be proven.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use otaru_keys::{Credentials, KeysError};
use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;
use tokio::sync::mpsc::UnboundedSender;

/// A new certificate that led to no session so often, and not by chance, is no good.
const TRIES: u32 = 3;

/// What the device hears about its certificates.
#[derive(Debug)]
pub(crate) enum Told {
    /// A line for its log.
    Line(LogLevel, String),
    /// There is a new one: a session that begins now proves it.
    Prove,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// What it has.
    Current,
    /// What is to be proven.
    Next,
}

/// What link and renewal share.
#[derive(Debug)]
pub(crate) struct Certificates {
    dir: PathBuf,
    /// Whether an update is at a point where nothing else may begin.
    is_quiet: AtomicBool,
    tried: Mutex<Tried>,
    told: UnboundedSender<Told>,
}

/// What became of the last tries.
#[derive(Debug, Default)]
struct Tried {
    /// Which one led to no session.
    failed: Option<Shown>,
    /// How often the new one did.
    next_failed: u32,
    /// What was said when the new one was refused.
    refusal: Option<String>,
}

impl Certificates {
    /// Those in a device's folder; nothing begins before it is said that it may.
    pub(crate) fn new(dir: &Path, told: UnboundedSender<Told>) -> Certificates {
        let (dir, is_quiet, tried) = (dir.to_owned(), AtomicBool::new(true), Mutex::default());
        let certificates = Certificates { dir, is_quiet, tried, told };
        if let Err(error) = otaru_keys::settle(&certificates.dir) {
            certificates.say(LogLevel::Error, format!("the certificate is not tidied up: {error}"));
        }
        certificates
    }

    /// Says whether an update is at a point where nothing else may begin.
    pub(crate) fn set_quiet(&self, is_quiet: bool) {
        self.is_quiet.store(is_quiet, Ordering::Relaxed);
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet.load(Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, told: Told) {
        // Nobody listens any more when the firmware restarts.
        let _ = self.told.send(told);
    }

    pub(crate) fn say(&self, level: LogLevel, line: String) {
        self.tell(Told::Line(level, line));
    }

    /// What the next session is tried with. After one that failed it is the other one's turn:
    /// whatever was lost between here and the server, one of the two is good.
    pub(crate) fn choose(&self) -> Result<(Shown, Credentials), Reason> {
        let first = if self.is_quiet() { Shown::Current } else { Shown::Next };
        let turn = match self.tried().failed {
            Some(Shown::Next) => Shown::Current,
            Some(Shown::Current) => Shown::Next,
            None => first,
        };
        if turn == Shown::Next
            && let Some(next) = self.next()
        {
            return Ok((Shown::Next, next));
        }
        Ok((Shown::Current, current(&self.dir)?))
    }

    /// Whether there is a new one that was not proven yet.
    pub(crate) fn has_next(&self) -> bool {
        self.next().is_some()
    }

    fn next(&self) -> Option<Credentials> {
        match Credentials::next(&self.dir) {
            Ok(next) => next,
            Err(error @ KeysError::Set { .. }) => {
                self.drop_next(&error.to_string());
                None
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Not readable");
                None
            }
        }
    }

    /// A session began.
    pub(crate) fn worked(&self, shown: Shown) {
        let tried = std::mem::take(&mut *self.tried());
        match shown {
            Shown::Next => match otaru_keys::keep_next(&self.dir) {
                Ok(()) => {
                    let line = "the new certificate works; the one before was removed";
                    self.say(LogLevel::Info, line.to_owned());
                }
                Err(error) => {
                    let line = format!("the new certificate works, and was not kept: {error}");
                    self.say(LogLevel::Error, line);
                }
            },
            Shown::Current => match tried.refusal {
                Some(refusal) => self.drop_next(&refusal),
                None if tried.next_failed >= TRIES => self.drop_next("no session began with it"),
                None => self.tried().next_failed = tried.next_failed,
            },
        }
    }

    /// A session did not begin; `refusal` where somebody said that it may not.
    pub(crate) fn failed(&self, shown: Shown, refusal: Option<String>) {
        let mut tried = self.tried();
        tried.failed = Some(shown);
        if shown == Shown::Next {
            tried.next_failed += 1;
            tried.refusal = refusal.or(tried.refusal.take());
        }
    }

    /// The one before still works, so the new one is what was wrong.
    fn drop_next(&self, why: &str) {
        let line = format!("the new certificate is no good, going on with the one before: {why}");
        self.say(LogLevel::Warn, line);
        if let Err(error) = otaru_keys::drop_next(&self.dir) {
            self.say(LogLevel::Error, format!("the new certificate was not removed: {error}"));
        }
    }

    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().expect("nothing panics while it holds the lock")
    }
}

/// What the device has.
///
/// Errors: the reason to report.
pub(crate) fn current(dir: &Path) -> Result<Credentials, Reason> {
    Credentials::current(dir).map_err(|error| match &error {
        KeysError::File { path, .. } if path.ends_with("ca.pem") => Reason::TlsRootMissing,
        _ => Reason::StorageUnreadable,
    })
}

#[cfg(test)]
mod tests;
