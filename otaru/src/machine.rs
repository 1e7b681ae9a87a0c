//! The machine's clock, signals and log, which the parts below never touch themselves.

use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use otaru_doors::KnockLimits;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Milliseconds since the epoch; 0 on a machine whose clock stands before it.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How many may be half-way in at each port, for the files that this process may open.
pub(crate) fn knock_limits() -> KnockLimits {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    KnockLimits::for_open_files(files.unwrap_or(u64::MAX))
}

/// Returns when somebody asks this process to end (SIGTERM or Ctrl-C).
pub(crate) async fn asked_to_end() {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// SIGHUP as "look again"; a server that has nothing to look at ends by it, as any program does.
pub(crate) struct Hangups(Option<Signal>);

impl Hangups {
    /// Listens from now on, or leaves the signal alone.
    pub(crate) fn heard(are_heard: bool) -> Hangups {
        Hangups(are_heard.then(|| signal(SignalKind::hangup()).ok()).flatten())
    }

    /// Returns at the next one.
    pub(crate) async fn next(&mut self) {
        let is_heard = match &mut self.0 {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        };
        if !is_heard {
            std::future::pending().await
        }
    }
}

/// Logs to stderr: what `OTARU_LOG` says, else information and worse of our own crates.
pub(crate) fn log_to_stderr(json: bool) {
    log_to_stderr_by("warn,otaru=info,rmqtt=error", json);
}

/// Logs to stderr: what `OTARU_LOG` says, else by this filter.
pub(crate) fn log_to_stderr_by(filter: &str, json: bool) {
    let filter = EnvFilter::try_from_env("OTARU_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match json {
        true => builder.json().init(),
        false => builder.init(),
    }
}
