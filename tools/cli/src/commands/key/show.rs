use std::path::Path;

use anyhow::{Context as _, Result, bail};
use otaru_release::{PublicKey, RootDocument};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::keys;

pub(super) async fn server_key(context: &Context<'_>) -> Result<()> {
    let key = context.client()?.show_server_key().await?;
    let lines = [
        ("kind", "server key".to_owned()),
        ("key id", key.key_id.clone()),
        ("public key", key.public_key.clone()),
    ];
    Ok(context.printer.object(key.json(), &lines)?)
}

pub(super) fn file(context: &Context<'_>, path: &Path) -> Result<()> {
    let bytes =
        std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    // A root document is the only one that is not text. Later ones are signed by a key that they
    // need not name themselves.
    if let Ok(root) = RootDocument::read_trusted(&bytes) {
        let (shown, lines) = root_shown(&root);
        return Ok(context.printer.object(&shown, &lines)?);
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        bail!("{} is neither a key file nor a root document", path.display());
    };
    let (role, key, is_sealed) = match keys::public_key_of(text) {
        Some(key) => (None, key, false),
        None => {
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

/// A root document for programs and for people.
pub(super) fn root_shown(root: &RootDocument) -> (Value, Vec<(&'static str, String)>) {
    let ids = |keys: &[PublicKey]| -> Vec<String> {
        keys.iter().map(|key| key.id().to_string()).collect()
    };
    let (root_keys, release_keys) = (ids(&root.root_keys), ids(&root.release_keys));
    let server_key = root.server_key.map(|key| key.id().to_string());
    let revoked: Vec<String> = root.revoked.iter().map(ToString::to_string).collect();
    let shown = json!({
        "number": root.number,
        "root_key_ids": root_keys,
        "release_key_ids": release_keys,
        "server_key_id": server_key,
        "revoked_key_ids": revoked,
        "expires_at": root.expires_at,
    });
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let expires = root.expires_at.map_or("never".to_owned(), |at| format!("{at} (seconds)"));
    let lines = vec![
        ("kind", format!("root document {}", root.number)),
        ("root keys", root_keys.join(" ")),
        ("release keys", release_keys.join(" ")),
        ("server key", or_none(server_key.unwrap_or_default())),
        ("revoked", or_none(revoked.join(" "))),
        ("expires", expires),
    ];
    (shown, lines)
}
