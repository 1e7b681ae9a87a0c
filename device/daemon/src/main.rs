//! `otaru-device`: the update agent of a Linux gateway, as a service.
//!
//! Reads its configuration, wires and starts; `device/linux` does the work.
//! How to run it is in `docs/device-linux.md`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Parser;
use otaru_linux::run_gateway;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

mod config;

use config::Config;

/// The update agent of a Linux gateway.
#[derive(Parser)]
#[command(name = "otaru-device", version)]
struct Arguments {
    /// Its configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/otaru-device.toml")]
    config: PathBuf,
    /// Says what is wrong with the configuration and with the files it names, and ends.
    #[arg(long)]
    check: bool,
}

/// One thread: while it is stuck the watchdog hears nothing.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    log_to_stderr();
    let config = Config::read(&arguments.config)?;
    if arguments.check {
        config.check_disk()?;
        tracing::info!(config = %arguments.config.display(), "Nothing is wrong");
        return Ok(());
    }
    keep_watchdog();
    if config.is_to_be_enrolled() {
        // It may take days until the server knows the device: the start is over before, and the
        // product runs.
        tell(NotifyState::Ready);
        tell(NotifyState::Status("Not enrolled yet"));
    }
    let options = config.options();
    run_gateway(&options, config.enrol(is_hindered), is_ready, asked_to_end()).await?;
    Ok(())
}

/// Says why this is no device yet, where somebody looks for it.
fn is_hindered(why: &str) {
    tracing::error!("{why}");
    // A status is one line.
    tell(NotifyState::Status(&why.replace('\n', " ")));
}

/// Tells systemd, if that started this process, that the device runs.
fn is_ready() {
    tell(NotifyState::Ready);
    tell(NotifyState::Status("The device runs"));
}

/// Tells systemd again and again that this process is not stuck.
fn keep_watchdog() {
    if let Some(limit) = sd_notify::watchdog_enabled() {
        tokio::spawn(async move {
            loop {
                tell(NotifyState::Watchdog);
                tokio::time::sleep(limit / 3).await;
            }
        });
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// Returns when somebody asks this process to end (SIGTERM or Ctrl-C).
fn asked_to_end() -> impl Future<Output = ()> {
    // Registered before the product starts, so that no signal is lost.
    let signals = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    async move {
        // Without handlers the signals end the process by themselves.
        let Ok((mut terminate, mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell(NotifyState::Stopping);
    }
}

/// Logs to stderr: what `OTARU_LOG` says, else information and worse of our own crates.
fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_env("OTARU_LOG").unwrap_or_else(|_| EnvFilter::new("warn,otaru=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
