//! The one binary: server, operator's commands and simulated devices.
//!
//! It parses the command line, puts the parts together and starts them; what
//! they do is theirs. Start at [`serve`](serve::serve) for the server and at
//! [`demo`](demo::demo) for the whole job on one machine.

mod arguments;
mod authority_key;
mod certificates;
mod config;
mod demo;
mod machine;
mod ports;
mod reach;
mod secrets;
mod serve;
mod sim;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};

fn main() -> ExitCode {
    // Two providers are compiled in, so rustls cannot choose for itself.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().expect("nothing installed a provider before main");
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("otaru: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(arguments));
    // Threads that wait for input must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::Serve(serve) => {
            machine::log_to_stderr(serve.json_logs());
            serve::serve(serve).await
        }
        Command::AuthorityKey(command) => authority_key::run(&command),
        Command::Demo(demo) => demo::demo(demo).await,
        Command::Sim(sim) => {
            sim.log_to_stderr();
            sim::sim(sim, &arguments.options).await
        }
        Command::Client(command) => {
            return otaru_cli::run(&arguments.options, command, Arguments::command()).await;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("otaru: {error:#}");
            ExitCode::FAILURE
        }
    }
}
