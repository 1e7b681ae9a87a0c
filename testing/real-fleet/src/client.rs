//! The command line, as a person uses it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Runs client commands against one server with the admin's token.
#[derive(Debug, Clone)]
pub struct Client {
    binary: PathBuf,
    server_url: String,
    token_file: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct CommandOutput {
    /// Documented exit code; −1 when a signal ended it.
    pub code: i32,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

impl Client {
    /// A client for a server at this URL; the token is read when a command runs.
    pub fn new(binary: &Path, server_url: &str, token_file: &Path) -> Client {
        Client {
            binary: binary.to_owned(),
            server_url: server_url.to_owned(),
            token_file: token_file.to_owned(),
        }
    }

    /// Runs one command and answers however it ended.
    pub async fn run(&self, arguments: &[&str]) -> Result<CommandOutput> {
        let output = Command::new(&self.binary)
            .args(["-o", "json", "--no-input"])
            .args(arguments)
            .env("OTARU_SERVER", &self.server_url)
            .env("OTARU_TOKEN_FILE", &self.token_file)
            .env_remove("OTARU_TOKEN")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("could not run otaru {arguments:?}"))?;
        Ok(CommandOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed and answers the object it printed, or null.
    pub async fn done(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(arguments).await?;
        if output.code != 0 {
            bail!(
                "otaru {} ended with {}: {}",
                arguments.join(" "),
                output.code,
                output.stderr.trim()
            );
        }
        if output.stdout.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&output.stdout).with_context(|| {
            format!("otaru {} printed no JSON: {}", arguments.join(" "), output.stdout)
        })
    }
}
