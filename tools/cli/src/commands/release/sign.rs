use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{ArgGroup, Args};
use otaru_release::{Manifest, RootDocument};
use otaru_wire::{ProductName, ReleaseVersion};
use serde_json::json;

use super::signing::{self, Raw, read};
use super::verify::seconds_since_1970;
use crate::commands::Context;
use crate::keys::SigningKeyOptions;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("signing").args(["key", "signer"]).required(true).multiple(true)))]
pub struct Sign {
    /// The firmware image, as the build made it
    image: PathBuf,
    /// Product it is for
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// Its version
    #[arg(long = "version", value_name = "VERSION")]
    release_version: ReleaseVersion,
    #[command(flatten)]
    signer: SigningKeyOptions,
    /// Sequence number: above that of every release of the product
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
    #[command(flatten)]
    raw: Raw,
    /// Say in the manifest that older software replaces newer on purpose
    #[arg(long)]
    downgrade: bool,
    /// Signed root document that must name the key: devices refuse what another one signed
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Write the signed manifest to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Sign {
    pub(super) fn run(self, context: &Context<'_>) -> Result<()> {
        let image = read(&self.image)?;
        let manifest =
            self.raw.describe(&self.image, &image, &self.product, &self.release_version)?;
        let manifest =
            Manifest { sequence: self.sequence, is_downgrade: self.downgrade, ..manifest };
        let signed = signing::sign(context, &self.signer, &manifest)?;
        if let Some(path) = &self.root {
            // Later ones are signed by a key that they need not name themselves.
            let root = RootDocument::read_trusted(&read(path)?)
                .with_context(|| format!("{} is refused", path.display()))?;
            Manifest::verify(&signed, &root, seconds_since_1970())
                .context("devices would refuse the manifest; nothing was written")?;
        }
        signing::save(&self.out, &signed)?;
        let (mut json, mut lines) = signing::shown(&manifest);
        let file = self.out.display().to_string();
        json["manifest"] = json!(file);
        lines.push(("manifest", file));
        Ok(context.printer.object(&json, &lines)?)
    }
}
