//! What this machine says about a process, and allows it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Resident memory of a process.
pub(crate) fn resident_kib(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
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

/// What figures depend on: processors, memory, system, and the disk under `folder`.
pub(crate) fn description(folder: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let processor = field("/proc/cpuinfo", "model name")?;
    let memory_kib: u64 = field("/proc/meminfo", "MemTotal")?.trim_end_matches(" kB").parse()?;
    let memory_gib = memory_kib as f64 / 1024.0 / 1024.0;
    let system = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let sync_ms = sync_time(folder)?.as_secs_f64() * 1000.0;
    let system = system.trim();
    Ok(format!(
        "{cores} × {processor}, {memory_gib:.0} GiB, Linux {system}, {sync_ms:.2} ms for the disk to sync"
    ))
}

/// The first line of that name in a file of `name : value` lines.
fn field(file: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    Ok(value.with_context(|| format!("no {name} in {file}"))?.1.trim().to_owned())
}

/// The usual time until bytes at the end of a file are safe.
fn sync_time(folder: &Path) -> Result<Duration> {
    let mut file = File::create(folder.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[0; 4096])?;
        let begin = Instant::now();
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    Ok(crate::figure::median(times))
}
