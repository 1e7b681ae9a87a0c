//! The next root document: signed here with the root key, then sent to who serves it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{ArgGroup, Args};
use otaru_release::{Algorithm, KeyId, PublicKey};
use otaru_wire::ProductName;

use super::algorithm;
use next::Next;

use crate::commands::Context;
use crate::commands::release::seconds_since_1970;
use crate::keys::{SigningKeyOptions, read_public_key};
use crate::units;

mod next;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("signing").args(["key", "signer"]).required(true).multiple(true)))]
pub struct Rotate {
    #[command(flatten)]
    change: Change,
    /// Name the server's key for timestamps and orders: a fresh one of the server, or that of FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    server_key: Option<Option<PathBuf>>,
    /// Name no server key: devices then require neither timestamps nor orders
    #[arg(long, conflicts_with = "server_key")]
    no_server_key: bool,
    /// Let the release keys that count now go on counting beside a new one
    #[arg(long)]
    keep_release: bool,
    /// From when on devices refuse this root document, such as 365d
    #[arg(long, value_name = "TIME", value_parser = units::lifetime)]
    expires: Option<Duration>,
    /// It never expires
    #[arg(long, conflicts_with = "expires")]
    never_expires: bool,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("signing").args(["key", "signer"]).required(true).multiple(true)))]
pub struct Revoke {
    /// Id of the key, 16 hex digits; it may have been replaced already
    #[arg(value_name = "KEY_ID")]
    key_id: KeyId,
    #[command(flatten)]
    change: Change,
}

/// What both have in common.
#[derive(Args, Debug)]
pub(super) struct Change {
    /// The newest root document, from where you keep it, not from the server
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Folder for the next one and for new keys
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make a new release key
    #[arg(long)]
    release: bool,
    /// Name this release key, which is kept elsewhere: its public half
    #[arg(long, value_name = "FILE", conflicts_with = "release")]
    release_key: Option<PathBuf>,
    /// Make a new root key; the old one signs this document for the last time
    #[arg(long)]
    new_root: bool,
    /// Name this root key, which is kept elsewhere: its public half
    #[arg(long, value_name = "FILE", conflicts_with = "new_root")]
    new_root_key: Option<PathBuf>,
    /// Kind of new keys: ed25519 or p256
    #[arg(long, value_name = "NAME", default_value = "ed25519", value_parser = algorithm)]
    algorithm: Algorithm,
    /// Leave new key files unsealed, readable by their owner alone
    #[arg(long)]
    no_passphrase: bool,
    /// Send the next root document to the server, for this product; may be repeated
    #[arg(long, value_name = "NAME")]
    product: Vec<ProductName>,
    #[command(flatten)]
    signer: SigningKeyOptions,
}

impl Rotate {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let mut next = Next::after(&self.change.root)?;
        next.replace_keys(context, &self.change, self.keep_release)?;
        match &self.server_key {
            Some(Some(path)) => next.root.server_key = Some(read_public_key(path)?),
            Some(None) => {
                let made = context.client()?.create_server_key().await?;
                let key: PublicKey =
                    made.public_key.parse().context("the server's key is not one")?;
                next.root.server_key = Some(key);
            }
            None if self.no_server_key => next.root.server_key = None,
            None => {}
        }
        if let Some(lifetime) = self.expires {
            let now = seconds_since_1970().context("the clock is not set")?;
            next.root.expires_at = Some(now.saturating_add(lifetime.as_secs().cast_signed()));
        }
        if self.never_expires {
            next.root.expires_at = None;
        }
        next.finish(context, self.change).await
    }
}

impl Revoke {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let mut next = Next::after(&self.change.root)?;
        let revoked = self.key_id;
        let root = self.change.root.display();
        if next.root.revoked.contains(&revoked) {
            bail!("{root} revokes key {revoked} already");
        }
        // One that was replaced earlier: devices still keep what it signed until it is revoked.
        if !next.root.names(revoked) {
            eprintln!("note: {root} does not name key {revoked}; what it signed before is revoked");
        }
        next.revoke(revoked);
        // Those it stood beside go on counting.
        next.add_keys(context, &self.change)?;
        if next.root.root_keys.is_empty() {
            bail!("it is the only root key: name another with --new-root or --new-root-key");
        }
        if next.root.release_keys.is_empty() {
            bail!("it is the only release key: name another with --release or --release-key");
        }
        next.finish(context, self.change).await
    }
}
