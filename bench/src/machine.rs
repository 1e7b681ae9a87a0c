//! What this machine says about a process, and allows it.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Resident memory of a process.
pub(crate) fn resident_kib(id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let number = line.split_whitespace().nth(1).context("VmRSS has no number")?;
    number.parse().context("VmRSS is not a number")
}

/// Lets this process and those it starts open so many files each.
pub(crate) fn allow_open_files(count: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(most >= count, "{count} open files are needed: run `ulimit -Hn {count}` as root first");
    limit.current = Some(most);
    setrlimit(Resource::Nofile, limit).context("could not raise the limit of open files")
}
