use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use otaru_release::{Algorithm, RootDocument};
use serde_json::json;
use zeroize::Zeroizing;

use super::algorithm;
use crate::commands::Context;
use crate::keys::{
    self, KeyRole, KeySecret, KeySet, Passphrase, SigningKeyOptions, read_public_key,
};

#[derive(Args, Debug)]
pub struct New {
    /// Folder for root.key, release.key, root.cbor and root.pub
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave the key files unsealed, readable by their owner alone
    #[arg(long)]
    no_passphrase: bool,
    /// Kind of the new keys: ed25519 or p256
    #[arg(long, value_name = "NAME", default_value = "ed25519", value_parser = algorithm)]
    algorithm: Algorithm,
    /// Release key that is kept elsewhere: its public half; no release.key is made then
    #[arg(long, value_name = "FILE", requires = "signer")]
    release_key: Option<PathBuf>,
    #[command(flatten)]
    root: SigningKeyOptions,
}

impl New {
    pub(super) fn run(self, context: &Context<'_>) -> Result<()> {
        match self.root.is_given() {
            true => self.around_a_root_key(context),
            false => self.make_both(context),
        }
    }

    fn make_both(self, context: &Context<'_>) -> Result<()> {
        let passphrase = passphrase(context, self.no_passphrase)?;
        let keys = KeySet::generate(self.algorithm)?;
        keys.write(&self.out, passphrase.as_ref())?;
        eprintln!("keep root.key offline: without it the release key can never be replaced");
        let root = keys.root_key().public_key().id();
        let release = keys.release_key().public_key().id();
        print(context, &self.out.display().to_string(), &root.to_string(), &release.to_string())
    }

    /// The root key exists already, in a file or behind a command.
    fn around_a_root_key(self, context: &Context<'_>) -> Result<()> {
        let root = self.root.open(KeyRole::Root, context.may_ask())?;
        let mut files = Vec::new();
        let release = match &self.release_key {
            Some(path) => read_public_key(path)?,
            None => {
                let passphrase = passphrase(context, self.no_passphrase)?;
                let secret = KeySecret::random(self.algorithm)?;
                let file = keys::key_file(KeyRole::Release, &secret, passphrase.as_ref())?;
                files.push(("release.key".to_owned(), 0o600, file));
                secret.key().public_key()
            }
        };
        let public = root.public_key();
        if release == public {
            bail!("the root key and the release key are one key; they have to be two");
        }
        let document = RootDocument::first(public, release).unsigned(&public);
        files.push(("root.cbor".to_owned(), 0o644, Zeroizing::new(root.sign(&document)?)));
        let text = public.to_file("root key").into_bytes();
        files.push(("root.pub".to_owned(), 0o644, Zeroizing::new(text)));
        keys::write_all(&self.out, &files)?;
        let folder = self.out.display().to_string();
        print(context, &folder, &public.id().to_string(), &release.id().to_string())
    }
}

/// The passphrase for new key files; `None` leaves them unsealed, with a warning.
pub(super) fn passphrase(context: &Context<'_>, without: bool) -> Result<Option<Passphrase>> {
    if without {
        eprintln!("warning: without a passphrase, whoever reads the key files can sign firmware");
        return Ok(None);
    }
    Passphrase::for_new_keys(context.may_ask()).map(Some)
}

fn print(context: &Context<'_>, folder: &str, root: &str, release: &str) -> Result<()> {
    let made = json!({ "folder": folder, "root_key_id": root, "release_key_id": release });
    let lines = [
        ("folder", folder.to_owned()),
        ("root key", root.to_owned()),
        ("release key", release.to_owned()),
    ];
    Ok(context.printer.object(&made, &lines)?)
}
