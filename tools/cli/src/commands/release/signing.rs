//! An image and a release key become a signed manifest; nobody else is asked.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use otaru_release::{Chip, ImageError, Manifest};
use otaru_wire::{ProductName, ReleaseVersion};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::keys::{KeyRole, SigningKeyOptions};

/// The image was refused here, with the words the server would have used.
#[derive(Debug, thiserror::Error)]
#[error(
    "{file} is refused ({})\nfound {}\nexpected {}{}",
    .refusal.code(), .refusal.found(), .refusal.expected(), raw_instead(.refusal)
)]
struct ImageRefused {
    file: String,
    refusal: ImageError,
}

/// What to do with a file that is no image of ESP-IDF, and need not be one.
fn raw_instead(refusal: &ImageError) -> &'static str {
    use ImageError::{IsCompressed, IsElf, NotEspImage};
    match refusal {
        NotEspImage { .. } | IsElf | IsCompressed { .. } => {
            "; of a product with raw images nothing is read: name its chip, such as --raw linux"
        }
        _ => "",
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

/// How an image is read that is to be signed.
#[derive(Args, Debug)]
#[group(id = "raw")]
pub(super) struct Raw {
    /// The image is for this chip and nothing is read from it: for chips without ESP-IDF images
    #[arg(long = "raw", value_name = "CHIP", id = "raw_chip", value_parser = raw_chip)]
    chip: Option<Chip>,
    /// Security counter of a raw image; those of ESP-IDF carry their own
    #[arg(long, value_name = "N", requires = "raw_chip")]
    security_counter: Option<u32>,
}

fn raw_chip(text: &str) -> Result<Chip, String> {
    match text.parse::<Chip>() {
        Ok(chip) if !chip.runs_esp_images() => Ok(chip),
        Ok(chip) => Err(format!("images of {chip} are read; leave --raw out")),
        Err(_) => Err(format!("{text:?} is not the name of a chip")),
    }
}

impl Raw {
    /// What there is to sign about an image; its sequence number is still missing.
    pub(super) fn describe(
        &self,
        path: &Path,
        image: &[u8],
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Manifest> {
        let (product, version) = (product.clone(), version.clone());
        if let Some(chip) = self.chip {
            let manifest = Manifest::for_raw_image(image, product, chip, version, 0);
            let security_counter = self.security_counter.unwrap_or_default();
            return Ok(Manifest { security_counter, ..manifest });
        }
        let manifest = Manifest::for_image(image, product, version, 0);
        Ok(manifest
            .map_err(|refusal| ImageRefused { file: path.display().to_string(), refusal })?)
    }
}

/// The manifest, signed by the release key or by the command that has it.
pub(super) fn sign(
    context: &Context<'_>,
    signer: &SigningKeyOptions,
    manifest: &Manifest,
) -> Result<Vec<u8>> {
    let key = signer.open(KeyRole::Release, context.may_ask())?;
    key.sign(&manifest.unsigned(&key.public_key()))
}

/// Writes a file that was made here.
pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
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
