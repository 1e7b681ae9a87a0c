//! A program of the product: started, watched, and ended with everything it started.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

mod group;
#[cfg(test)]
mod tests;

use group::Group;

/// A program that runs until it ends or is stopped; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Program {
    life: watch::Receiver<Life>,
    asked_to_end: Arc<Notify>,
    watched: AbortHandle,
}

/// How far a program has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    Runs,
    /// What it started may still run.
    Ended,
    /// Nothing of it runs any more.
    Gone,
}

impl Program {
    /// Starts the program in a process group of its own.
    ///
    /// Must be called in a tokio runtime, whose task waits for the end.
    pub(crate) fn start(command: &[String], stop_limit: Duration) -> io::Result<Program> {
        let group = Group::start(prepare(command)?.stdin(Stdio::null()))?;
        let (sender, life) = watch::channel(Life::Runs);
        let asked_to_end = Arc::<Notify>::default();
        let watching = watch_over(group, stop_limit, Arc::clone(&asked_to_end), sender);
        let watched = tokio::spawn(watching).abort_handle();
        Ok(Program { life, asked_to_end, watched })
    }

    /// Returns when the program has ended; what it started is being ended then.
    pub(crate) async fn ended(&self) {
        self.reaches(Life::Ended).await;
    }

    /// Asks the program and what it started to end, and makes them after the limit.
    pub(crate) async fn stop(&self) {
        self.asked_to_end.notify_one();
        self.reaches(Life::Gone).await;
    }

    async fn reaches(&self, life: Life) {
        let _ = self.life.clone().wait_for(|found| *found >= life).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // With the task the group goes.
        self.watched.abort();
    }
}

/// From the start of a program until nothing of it runs any more.
///
/// What a program leaves running when it ends by itself gets as long as one that is asked to end:
/// it would hold the image it was started from, and the next download could not write there.
async fn watch_over(
    group: Group,
    stop_limit: Duration,
    asked_to_end: Arc<Notify>,
    life: watch::Sender<Life>,
) {
    tokio::select! {
        () = group.leader_ended() => {}
        () = asked_to_end.notified() => {}
    }
    group.signal(Signal::TERM);
    let ended = async {
        group.leader_ended().await;
        let _ = life.send(Life::Ended);
        group.ended().await;
    };
    if timeout(stop_limit, ended).await.is_err() {
        tracing::warn!("The product's program did not end in time, and is killed");
    }
    group.kill().await;
    match group.reap().await {
        Ok(status) => tracing::info!(%status, "The product's program ended"),
        Err(error) => tracing::error!(%error, "The product's program cannot be watched"),
    }
    let _ = life.send(Life::Gone);
}

/// What a program that was run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It exited with 0.
    Passed,
    /// It ended otherwise.
    Failed,
    /// It did not end in time, and was killed with everything it started.
    TimedOut,
}

/// What becomes of what a program leaves running when it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was meant to start something.
    Runs,
    /// It is killed.
    Killed,
}

/// Runs a program with `input` to its end, or until the limit. Dropped, it is killed.
pub(crate) async fn run(
    command: &[String],
    input: Vec<u8>,
    limit: Duration,
    left: Left,
) -> io::Result<Ran> {
    let mut group = Group::start(prepare(command)?.stdin(Stdio::piped()))?;
    let stdin = group.stdin();
    let fed = async {
        // Who does not read gets an error that says nothing about its work.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&input).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::select! {
            () = fed => {}
            () = group.leader_ended() => {}
        }
    };
    let is_late = timeout(limit, ended).await.is_err();
    if is_late || left == Left::Killed {
        group.kill().await;
    }
    let status = group.reap().await;
    if is_late {
        let limit_s = limit.as_secs();
        tracing::error!(command = command[0], limit_s, "Did not end in time, and was killed");
        return Ok(Ran::TimedOut);
    }
    let status = status?;
    tracing::info!(command = command[0], %status, "Ran");
    Ok(if status.success() { Ran::Passed } else { Ran::Failed })
}

fn prepare(command: &[String]) -> io::Result<Command> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments);
    // The supervisor of this process hears from it alone.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    Ok(command)
}
