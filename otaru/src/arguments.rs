use clap::{Parser, Subcommand};

use crate::{
    authority_key::AuthorityKeyCommand, config::ServeArguments, demo::DemoArguments,
    sim::SimArguments,
};

/// Updates the firmware of devices in people's homes.
#[derive(Parser)]
#[command(name = "otaru", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) options: otaru_cli::Options,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArguments),
    /// Run everything on this machine: a server, simulated devices and one update.
    Demo(DemoArguments),
    /// Put the key of the server's authority under a passphrase, or take it out.
    #[command(subcommand)]
    AuthorityKey(AuthorityKeyCommand),
    /// Run a simulated device.
    Sim(SimArguments),
    #[command(flatten)]
    Client(otaru_cli::ClientCommand),
}
