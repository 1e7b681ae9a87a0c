use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{ArgGroup, Args};
use otaru_client::{Client, NewRelease};
use otaru_release::{Manifest, PublicKey};
use otaru_wire::{ProductName, ReleaseVersion};

use super::provenance::Provenance;
use super::signing::{self, Raw, read};
use super::words::Words;
use crate::commands::Context;
use crate::keys::{KeyRole, SigningKeyOptions};
use crate::progress;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("signed").args(["key", "signer", "manifest"]).required(true).multiple(true)))]
pub struct Publish {
    /// The firmware image, as the build made it
    #[arg(required_unless_present = "waiting")]
    image: Option<PathBuf>,
    /// Fetch the image that was dropped into the watched bucket for this version, and sign that
    #[arg(long, requires = "release_version", conflicts_with_all = ["image", "manifest"])]
    waiting: bool,
    /// Product it is for
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// Its version
    #[arg(long = "version", value_name = "VERSION", required_unless_present = "manifest")]
    release_version: Option<ReleaseVersion>,
    #[command(flatten)]
    signer: SigningKeyOptions,
    /// Its manifest, if `release sign` has signed it already; version and sequence are in there
    #[arg(long, value_name = "FILE", conflicts_with_all =
        ["release_version", "key", "signer", "sequence", "downgrade", "save_manifest", "raw"])]
    manifest: Option<PathBuf>,
    /// Channel [default: stable]
    #[arg(long)]
    channel: Option<String>,
    #[command(flatten)]
    words: Words,
    #[command(flatten)]
    provenance: Provenance,
    #[command(flatten)]
    raw: Raw,
    /// Store it, and tell nobody before `release publish-draft`
    #[arg(long)]
    draft: bool,
    /// Accept what would be refused: flash_mode_differs
    #[arg(long, value_name = "CODE")]
    accept: Vec<String>,
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

impl Publish {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let (notes, safety) = (self.words.notes()?, self.words.safety()?);
        let sbom = self.provenance.sbom()?;
        let client = context.client()?;
        let image = self.image(&client).await?;
        let manifest = match &self.manifest {
            Some(path) => read(path)?,
            None => self.sign(context, &client, &image).await?,
        };
        let bar = progress::bytes("uploading", image.len() as u64);
        let new = NewRelease {
            product: self.product,
            image: image.into(),
            manifest,
            notes,
            safety,
            channel: self.channel,
            is_draft: self.draft,
            project: self.provenance.project(),
            source: self.provenance.source(),
            sbom,
            accept: self.accept,
        };
        let moving = bar.clone();
        let release = client.publish_release(new, move |sent| moving.set_position(sent)).await;
        bar.finish_and_clear();
        super::print(context, &release?)
    }

    async fn image(&self, client: &Client) -> Result<Vec<u8>> {
        match (&self.image, &self.release_version) {
            (Some(path), _) => read(path),
            (None, Some(version)) => {
                Ok(client.fetch_bucket_image(&self.product, version).await?.into())
            }
            (None, None) => bail!("neither an image nor the version of one that waits"),
        }
    }

    async fn sign(&self, context: &Context<'_>, client: &Client, image: &[u8]) -> Result<Vec<u8>> {
        let given = "clap asks for it where there is no manifest";
        let version = self.release_version.as_ref().context(given)?;
        let path = self.image.as_deref().unwrap_or(Path::new("the image in the bucket"));
        let manifest = self.raw.describe(path, image, &self.product, version)?;
        let key = self.signer.open(KeyRole::Release, context.may_ask())?;
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => sequence(client, &manifest, &key.public_key()).await?,
        };
        let manifest = Manifest { sequence, is_downgrade: self.downgrade, ..manifest };
        let manifest = key.sign(&manifest.unsigned(&key.public_key()))?;
        if let Some(path) = &self.save_manifest {
            signing::save(path, &manifest)?;
        }
        Ok(manifest)
    }
}

/// The number to sign: that of the same release, if this key signed it and devices take it, so
/// that a command that is run again says the same; else the product's next one.
async fn sequence(client: &Client, manifest: &Manifest, key: &PublicKey) -> Result<u64> {
    let (product, version) = (&manifest.product, &manifest.version);
    let known = match client.show_release(product, version).await {
        Ok(known) => Some(known),
        Err(refused) if refused.problem().is_some_and(|problem| problem.status == 404) => None,
        Err(error) => return Err(error.into()),
    };
    let (sha256, signer) = (manifest.sha256.to_string(), key.id().to_string());
    match known {
        Some(known)
            if known.sha256 == sha256
                && known.trust.as_deref() == Some("trusted")
                && known.signer_key_id.as_ref() == Some(&signer) =>
        {
            Ok(known.sequence)
        }
        _ => Ok(client.next_sequence(product).await?),
    }
}
