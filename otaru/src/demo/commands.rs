//! The publisher's and the operator's commands, run as they would type them.

use std::{path::Path, process::Stdio};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

use super::processes::Server;

/// Runs `otaru ARGUMENTS… -o json` and returns what it printed.
pub(crate) async fn otaru(server: &Server, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .args(["-o", "json", "--no-input"])
        .env("OTARU_SERVER", &server.http_url)
        .env("OTARU_TOKEN_FILE", &server.admin_token)
        .env_remove("OTARU_TOKEN")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("otaru {} failed ({}): {}", arguments.join(" "), output.status, errors.trim());
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.trim() {
        "" => Ok(Value::Null),
        json => serde_json::from_str(json)
            .with_context(|| format!("otaru {} printed no JSON", arguments.join(" "))),
    }
}

/// A path as an argument.
pub(crate) fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
