//! One child process with its output in a file.

use anyhow::{Context, Result, bail};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// A running program. Killed when dropped, so that no test leaves one behind.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts the program; what it prints is appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Program> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("could not open {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {command:?}"))?;
        Ok(Program { child })
    }

    /// The number of the process; none once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("could not ask for the state of a process")
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("could not kill a process")
    }

    /// `kill -NAME`.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let Some(id) = self.id() else { bail!("the process has ended already") };
        let told = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
        if !told.await?.success() {
            bail!("could not send SIG{name} to {id}");
        }
        Ok(())
    }

    /// `kill -TERM`, and waits for its own end.
    pub async fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        tokio::time::timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("did not end within {limit:?} of SIGTERM"))?
            .context("could not wait for a process")
    }
}
