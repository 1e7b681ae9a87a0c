//! What this machine says about a process, and allows it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Resident memory of a process.
pub(crate) fn resident_kib(id: u32) -> Result<u64> {
    status_kib(id, "VmRSS:")
}

/// Most resident memory of a process since it began, or since [`reset_peak`].
pub(crate) fn peak_kib(id: u32) -> Result<u64> {
    status_kib(id, "VmHWM:")
}

/// Lets [`peak_kib`] begin anew.
pub(crate) fn reset_peak(id: u32) -> Result<()> {
    // What proc(5) calls it.
    fs::write(format!("/proc/{id}/clear_refs"), "5").context("could not reset the peak of memory")
}

fn status_kib(id: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("no {name}"))
}

/// Processor time that these processes took since they began, to a hundredth of a second.
pub(crate) fn processor_time(ids: &[u32]) -> Result<Duration> {
    let mut ticks = 0;
    for id in ids {
        let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name, in brackets, may hold anything.
        let (_, fields) = text.rsplit_once(')').context("no name in stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        ticks += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    }
    // The kernel counts in hundredths whatever its own clock is.
    Ok(Duration::from_millis(ticks * 10))
}

/// A process and those it started.
pub(crate) fn processes_of(id: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    Ok(std::iter::once(Ok(id)).chain(children).collect::<Result<_, _>>()?)
}

/// Lets all threads of a process run on one core alone, and those they start.
pub(crate) fn pin(id: u32, core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let thread = thread?.file_name().to_string_lossy().parse()?;
        sched_setaffinity(Pid::from_raw(thread), &cores).context("could not choose a core")?;
    }
    Ok(())
}

/// What the kernel holds for all TCP connections of this machine, both ends of those within it.
pub(crate) fn tcp_memory_kib() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/sockstat")?;
    let line = text.lines().find(|line| line.starts_with("TCP:")).context("no TCP")?;
    let pages = line.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    Ok(pages.context("no mem")?.parse::<u64>()? * 4)
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
    // All there are, however few this process may run on.
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
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
