//! A process group of a program's own: everything it started is found and ended by it.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

/// Between two looks at what a leader that ended left behind: nobody says when that ends.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What was killed and is still there waits in the kernel, as for a disk that does not answer.
const KILLED_LIMIT: Duration = Duration::from_secs(5);

/// A program and what it started; dropped, all of it is killed.
///
/// The leader is reaped last: until then its number, and so the group's, is nobody else's.
#[derive(Debug)]
pub(super) struct Group {
    leader: Child,
}

impl Group {
    /// Starts a program as the leader of a group.
    pub(super) fn start(command: &mut Command) -> io::Result<Group> {
        Ok(Group { leader: command.process_group(0).kill_on_drop(true).spawn()? })
    }

    /// The leader's standard input, once.
    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.leader.stdin.take()
    }

    /// Returns when the leader has ended; it is not reaped.
    pub(super) async fn leader_ended(&self) {
        if let Err(error) = self.wait_for_leader().await {
            tracing::error!(%error, "A program cannot be watched");
        }
    }

    async fn wait_for_leader(&self) -> io::Result<()> {
        let Some(id) = self.id() else { return Ok(()) };
        // Before the first look, so that no end is missed.
        let mut children = signal(SignalKind::child())?;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while waitid(WaitId::Pid(id), look)?.is_none() {
            children.recv().await;
        }
        Ok(())
    }

    /// Returns when nothing of the group runs any more.
    pub(super) async fn ended(&self) {
        self.leader_ended().await;
        while self.id().is_some_and(anybody_runs) {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Sends a signal to all of the group.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            // All of it may have ended meanwhile.
            let _ = kill_process_group(id, signal);
        }
    }

    /// Kills what is left, and returns when it is gone.
    pub(super) async fn kill(&self) {
        self.signal(Signal::KILL);
        if timeout(KILLED_LIMIT, self.ended()).await.is_err() {
            tracing::error!("A program was killed, and does not go");
        }
    }

    /// Reaps a leader that has ended, and lets go of what it left.
    pub(super) async fn reap(mut self) -> io::Result<ExitStatus> {
        match timeout(KILLED_LIMIT, self.leader.wait()).await {
            Ok(status) => status,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Its number, until the leader was reaped.
    fn id(&self) -> Option<Pid> {
        self.leader.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Whether a process of the group runs. One that ended and was not reaped does not.
fn anybody_runs(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let is_number = |name: &[u8]| name.first().is_some_and(u8::is_ascii_digit);
    processes
        .flatten()
        .filter(|process| is_number(process.file_name().as_encoded_bytes()))
        // One that is gone meanwhile has no file any more.
        .filter_map(|process| std::fs::read(process.path().join("stat")).ok())
        .any(|stat| runs_in(&String::from_utf8_lossy(&stat), group))
}

/// Reads `pid (name) state parent group …`; a name may hold anything, so it is skipped from behind.
fn runs_in(stat: &str, group: Pid) -> bool {
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let mut fields = fields.split_whitespace();
    let has_ended = matches!(fields.next(), None | Some("Z" | "X"));
    let found = fields.nth(1).and_then(|group| group.parse().ok());
    !has_ended && found == Some(group.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_hides_no_process() {
        let group = Pid::from_raw(77).unwrap();
        assert!(runs_in("80 (clock) S 1 77 77 0 -1", group));
        assert!(runs_in("80 (a) Z 1 1 (b)) R 1 77 77", group));
        assert!(!runs_in("80 (clock) Z 1 77 77 0 -1", group));
        assert!(!runs_in("77 (clock) S 1 80 77 0 -1", group));
        assert!(!runs_in("", group));
    }
}
