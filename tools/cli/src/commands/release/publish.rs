use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_client::NewRelease;
use otaru_release::{ImageError, Manifest, SecretKey};
use otaru_wire::{ProductName, ReleaseVersion};

use crate::commands::Context;
use crate::keys::{self, KeyRole, Passphrase};
use crate::progress;

#[derive(Args, Debug)]
pub struct Publish {
    /// The firmware image, as the build made it
    image: PathBuf,
    /// Product it is for
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// Its version
    #[arg(long = "version", value_name = "VERSION")]
    release_version: ReleaseVersion,
    /// Release key that signs it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Channel [default: stable]
    #[arg(long)]
    channel: Option<String>,
    /// What changed, for owners
    #[arg(long, value_name = "TEXT", default_value = "")]
    notes: String,
    /// Sequence number; the product's next one if not given
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Say in the manifest that older software replaces newer on purpose
    #[arg(long)]
    downgrade: bool,
    /// Also write the signed manifest to this file
    #[arg(long, value_name = "FILE")]
    save_manifest: Option<PathBuf>,
}

/// The image was refused here, with the words the server would have used.
#[derive(Debug, thiserror::Error)]
#[error("{file} is refused ({})\nfound {}\nexpected {}", .refusal.code(), .refusal.found(), .refusal.expected())]
struct ImageRefused {
    file: String,
    refusal: ImageError,
}

impl Publish {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let image = std::fs::read(&self.image)
            .with_context(|| format!("could not read {}", self.image.display()))?;
        let (product, version) = (self.product.clone(), self.release_version.clone());
        let manifest = Manifest::for_image(&image, product, version, 0)
            .map_err(|refusal| ImageRefused { file: self.image.display().to_string(), refusal })?;
        let key = release_key(context, &self.key)?;
        let client = context.client()?;
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => client.next_sequence(&self.product).await?,
        };
        let manifest = Manifest { sequence, is_downgrade: self.downgrade, ..manifest }.sign(&key);
        if let Some(path) = &self.save_manifest {
            std::fs::write(path, &manifest)
                .with_context(|| format!("could not write {}", path.display()))?;
        }
        let bar = progress::bytes("uploading", image.len() as u64);
        let new = NewRelease {
            product: self.product,
            image: image.into(),
            manifest,
            notes: self.notes,
            channel: self.channel,
        };
        let moving = bar.clone();
        let release = client.publish_release(new, move |sent| moving.set_position(sent)).await;
        bar.finish_and_clear();
        super::print(context, &release?)
    }
}

fn release_key(context: &Context<'_>, path: &Path) -> Result<SecretKey> {
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
