use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use otaru_release::{PublicKey, RootDocument};
use serde_json::json;

use super::Context;
use crate::keys::{self, KeySet, Passphrase};

#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Make a root key, a release key and the root document that ties them together
    New {
        /// Folder for root.key, release.key, root.cbor and root.pub
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Leave the key files unsealed, readable by their owner alone
        #[arg(long)]
        no_passphrase: bool,
    },
    /// Show what a key file, a public key or a root document holds
    Show {
        /// A .key, .pub or .cbor file
        file: PathBuf,
    },
}

impl KeyCommand {
    pub(super) fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            KeyCommand::New { out, no_passphrase } => new(context, &out, no_passphrase),
            KeyCommand::Show { file } => show(context, &file),
        }
    }
}

fn new(context: &Context<'_>, folder: &Path, no_passphrase: bool) -> Result<()> {
    let passphrase = if no_passphrase {
        eprintln!("warning: without a passphrase, whoever reads the key files can sign firmware");
        None
    } else {
        Some(Passphrase::for_new_keys(context.may_ask())?)
    };
    let keys = KeySet::generate()?;
    keys.write(folder, passphrase.as_ref())?;
    eprintln!("keep root.key offline: without it the release key can never be replaced");
    let root = keys.root_key().public_key().id();
    let release = keys.release_key().public_key().id();
    let folder = folder.display();
    let made = json!({
        "folder": folder.to_string(),
        "root_key_id": root.to_string(),
        "release_key_id": release.to_string(),
    });
    let lines = [
        ("folder", folder.to_string()),
        ("root key", root.to_string()),
        ("release key", release.to_string()),
    ];
    Ok(context.printer.object(&made, &lines)?)
}

fn show(context: &Context<'_>, path: &Path) -> Result<()> {
    let bytes =
        std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    // A root document is the only one of the three that is not text.
    if let Ok(root) = RootDocument::verify_self_signed(&bytes) {
        return show_root(context, &root);
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        bail!("{} is neither a key file nor a root document", path.display());
    };
    let (role, key, is_sealed) = match PublicKey::from_file(text) {
        Ok(key) => (None, key, false),
        Err(_) => {
            let (role, key, is_sealed) = keys::read_public_half(text)
                .with_context(|| format!("could not read {}", path.display()))?;
            (Some(role.as_str()), key, is_sealed)
        }
    };
    let shown = json!({
        "role": role,
        "key_id": key.id().to_string(),
        "public_key": key.to_string(),
        "sealed": is_sealed,
    });
    let kind = match (role, is_sealed) {
        (None, _) => "public key".to_owned(),
        (Some(role), true) => format!("{role} key, sealed by a passphrase"),
        (Some(role), false) => format!("{role} key, not sealed"),
    };
    let lines = [("kind", kind), ("key id", key.id().to_string()), ("public key", key.to_string())];
    Ok(context.printer.object(&shown, &lines)?)
}

fn show_root(context: &Context<'_>, root: &RootDocument) -> Result<()> {
    let ids = |keys: &[PublicKey]| -> Vec<String> {
        keys.iter().map(|key| key.id().to_string()).collect()
    };
    let (root_keys, release_keys) = (ids(&root.root_keys), ids(&root.release_keys));
    let shown = json!({
        "number": root.number,
        "root_key_ids": root_keys,
        "release_key_ids": release_keys,
        "expires_at": root.expires_at,
    });
    let expires = root.expires_at.map_or("never".to_owned(), |at| format!("{at} (seconds)"));
    let lines = [
        ("kind", format!("root document {}", root.number)),
        ("root keys", root_keys.join(" ")),
        ("release keys", release_keys.join(" ")),
        ("expires", expires),
    ];
    Ok(context.printer.object(&shown, &lines)?)
}
