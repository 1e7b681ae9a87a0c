//! The client commands of `otaru`: noun, then verb.
//!
//! Everything goes through the REST API by `otaru_client`; only `key`,
//! `release sign`, `release verify` and `completion` work without a server. The binary parses
//! [`Options`] and [`ClientCommand`] beside its own commands and calls [`run`].

mod commands;
mod connection;
mod exit;
mod hex;
mod in_language;
pub mod keys;
mod options;
mod output;
mod profile;
mod progress;
mod units;

pub use commands::{ClientCommand, add_devices};
pub use exit::Exit;
pub use options::Options;
pub use output::Format;
pub use units::{chip_revision, duration};

use std::process::ExitCode;

/// Runs a client command and returns the program's exit code, errors told on stderr.
///
/// `program` is the whole command line, which `completion` describes.
pub async fn run(options: &Options, command: ClientCommand, program: clap::Command) -> ExitCode {
    let context = commands::Context::new(options, program);
    let work = command.run(&context);
    let result = match options.timeout {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(exit::TimedOut { limit }.into()),
        },
    };
    exit::tell(result)
}
