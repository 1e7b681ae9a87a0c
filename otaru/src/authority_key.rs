//! Puts the authority's key under a passphrase, and takes it out again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use otaru_authority::{Authority, Passphrase};

use crate::serve::own_data_directory;

/// What to do with the key.
#[derive(Subcommand)]
pub(crate) enum AuthorityKeyCommand {
    /// Put it under a passphrase, which the server then needs as authority.passphrase.
    Seal(AuthorityKeyOptions),
    /// Take it out of its passphrase.
    Open(AuthorityKeyOptions),
}

/// Which key, and which passphrase.
#[derive(Args)]
pub(crate) struct AuthorityKeyOptions {
    /// The server's data folder; the server must not run.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// File with the passphrase.
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

pub(crate) fn run(command: &AuthorityKeyCommand) -> anyhow::Result<()> {
    let (AuthorityKeyCommand::Seal(options) | AuthorityKeyCommand::Open(options)) = command;
    let AuthorityKeyOptions { data, passphrase_file } = options;
    let passphrase = read(passphrase_file)?;
    let _lock = own_data_directory(data)?;
    let folder = data.join("ca");
    let said = match command {
        AuthorityKeyCommand::Seal(_) => {
            Authority::seal_key(&folder, &passphrase)?;
            "is under the passphrase; without it the server does not start"
        }
        AuthorityKeyCommand::Open(_) => {
            Authority::unseal_key(&folder, &passphrase)?;
            "is under no passphrase any more"
        }
    };
    eprintln!("{} {said}", folder.join("ca.key").display());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Passphrase> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(Passphrase::new(text.trim_end().to_owned())?)
}
