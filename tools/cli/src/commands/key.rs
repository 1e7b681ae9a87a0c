mod change;
mod new;
mod show;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use otaru_release::Algorithm;

use super::Context;

#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Make a root key, a release key and the root document that ties them together
    New(new::New),
    /// Show what a key file, a public key or a root document holds
    Show {
        /// A .key, .pub, .pem or .cbor file
        #[arg(required_unless_present = "server_key")]
        file: Option<PathBuf>,
        /// Show the server's newest key instead
        #[arg(long, conflicts_with = "file")]
        server_key: bool,
    },
    /// Sign the next root document: other keys, another expiry
    Rotate(change::Rotate),
    /// Sign a next root document in which a key never counts again
    Revoke(change::Revoke),
}

impl KeyCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            KeyCommand::New(new) => new.run(context),
            KeyCommand::Show { file: Some(file), .. } => show::file(context, &file),
            KeyCommand::Show { file: None, .. } => show::server_key(context).await,
            KeyCommand::Rotate(rotate) => rotate.run(context).await,
            KeyCommand::Revoke(revoke) => revoke.run(context).await,
        }
    }
}

/// The algorithms by the names that key files have.
fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = [Algorithm::Ed25519, Algorithm::P256];
    let found = known.into_iter().find(|known| known.name() == text);
    found.ok_or_else(|| format!("{text:?} is not ed25519 or p256"))
}
