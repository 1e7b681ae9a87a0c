//! An image and a release key become a signed manifest; nobody else is asked.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use otaru_release::{ImageError, Manifest, SecretKey};
use otaru_wire::{ProductName, ReleaseVersion};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::keys::{self, KeyRole, Passphrase};

/// The image was refused here, with the words the server would have used.
#[derive(Debug, thiserror::Error)]
#[error("{file} is refused ({})\nfound {}\nexpected {}", .refusal.code(), .refusal.found(), .refusal.expected())]
struct ImageRefused {
    file: String,
    refusal: ImageError,
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

/// What there is to sign about an image; its sequence number is still missing.
pub(super) fn describe(
    path: &Path,
    image: &[u8],
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Manifest> {
    let manifest = Manifest::for_image(image, product.clone(), version.clone(), 0);
    Ok(manifest.map_err(|refusal| ImageRefused { file: path.display().to_string(), refusal })?)
}

/// The release key in a file; asks for its passphrase if it has one.
pub(super) fn release_key(context: &Context<'_>, path: &Path) -> Result<SecretKey> {
    let text = std::fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .with_context(|| format!("could not read {}", path.display()))?;
    let ask = || Passphrase::to_open(path, context.may_ask()).map(Some);
    let read = keys::read_secret_key(&text, ask)?;
    let (role, key) = read.with_context(|| format!("could not open {}", path.display()))?;
    if role != KeyRole::Release {
        bail!("{} is a root key; releases are signed by the release key", path.display());
    }
    Ok(key)
}

/// Writes a signed manifest.
pub(super) fn save(path: &Path, manifest: &[u8]) -> Result<()> {
    std::fs::write(path, manifest).with_context(|| format!("could not write {}", path.display()))
}

/// A manifest for programs and for people.
pub(super) fn shown(manifest: &Manifest) -> (Value, Vec<(&'static str, String)>) {
    let json = json!({
        "product": manifest.product,
        "version": manifest.version,
        "sequence": manifest.sequence,
        "chip": manifest.chip.name(),
        "sha256": manifest.sha256,
        "size": manifest.size_bytes,
        "security_counter": manifest.security_counter,
        "downgrade": manifest.is_downgrade,
        "expires_at": manifest.expires_at,
    });
    let lines = vec![
        ("product", manifest.product.to_string()),
        ("version", manifest.version.to_string()),
        ("sequence", manifest.sequence.to_string()),
        ("chip", manifest.chip.to_string()),
        ("size", format!("{} bytes", manifest.size_bytes)),
        ("sha256", manifest.sha256.to_string()),
    ];
    (json, lines)
}
