//! A program of the product: started, watched, and ended with everything it started.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// A program that runs until it ends or is stopped; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Program {
    group: Option<Pid>,
    ended: watch::Receiver<bool>,
    stop_limit: Duration,
}

impl Program {
    /// Starts the program in a process group of its own.
    ///
    /// Must be called in a tokio runtime, whose task waits for the end.
    pub(crate) fn start(command: &[String], stop_limit: Duration) -> io::Result<Program> {
        let mut child = prepare(command)?.stdin(Stdio::null()).process_group(0).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (sender, ended) = watch::channel(false);
        tokio::spawn(async move {
            match child.wait().await {
                Ok(status) => tracing::info!(%status, "The product's program ended"),
                Err(error) => tracing::error!(%error, "The product's program cannot be watched"),
            }
            let _ = sender.send(true);
        });
        Ok(Program { group, ended, stop_limit })
    }

    /// Returns when the program has ended.
    pub(crate) async fn ended(&self) {
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Asks the program to end, and makes it after the limit.
    pub(crate) async fn stop(&self) {
        self.signal(Signal::TERM);
        if timeout(self.stop_limit, self.ended()).await.is_err() {
            tracing::warn!("The product's program did not end in time, and is killed");
            self.signal(Signal::KILL);
            self.ended().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group.filter(|_| !*self.ended.borrow()) {
            // It may have ended meanwhile.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs a program to its end with `input`; whether it exited with 0. Dropped, it is killed.
pub(crate) async fn run(command: &[String], input: Vec<u8>) -> io::Result<bool> {
    let mut child = prepare(command)?.stdin(Stdio::piped()).spawn()?;
    // Who does not read gets an error that says nothing about its work.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(&input).await;
    }
    let status = Child::wait(&mut child).await?;
    tracing::info!(command = command[0], %status, "Ran");
    Ok(status.success())
}

fn prepare(command: &[String]) -> io::Result<Command> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    // The supervisor of this process hears from it alone.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    Ok(command)
}
