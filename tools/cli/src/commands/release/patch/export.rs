use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use otaru_release::{Chip, Image};
use otaru_wire::{Digest, ProductName, ReleaseVersion};
use serde_json::json;

use super::percent;
use crate::commands::Context;
use crate::commands::release::signing::{read, save};
use crate::exit::WrongUsage;
use crate::units;

#[derive(Args, Debug)]
pub struct Export {
    /// What ESP-IDF's esp_delta_ota takes, unmodified
    #[arg(long, required = true)]
    esp_delta_ota: bool,
    /// What the devices run: a file, or the version of a release
    #[arg(long, value_name = "VERSION|FILE")]
    from: String,
    /// What they are to run: a file, or the version of a release
    #[arg(long, value_name = "VERSION|FILE")]
    to: String,
    /// The product of the releases
    #[arg(long, value_name = "NAME")]
    product: Option<ProductName>,
    /// Write the patch to this file [default: FROM-to-TO.esp-delta]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// An image, and what it was called.
struct Named {
    name: String,
    bytes: Vec<u8>,
    chip: Chip,
}

impl Export {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let from = self.image(context, &self.from).await?;
        let to = self.image(context, &self.to).await?;
        if from.chip != to.chip {
            let (from, to) = (from.chip, to.chip);
            return Err(WrongUsage(format!("--from is for {from}, --to is for {to}")).into());
        }
        let running = Image::running_digest(&from.bytes)?;
        let patch = otaru_patches::make_for_esp_delta_ota(&from.bytes, &running, &to.bytes)?;
        let file =
            self.out.unwrap_or_else(|| format!("{}-to-{}.esp-delta", from.name, to.name).into());
        save(&file, &patch)?;
        let share = patch.len() as f64 / to.bytes.len() as f64;
        let json = json!({
            "format": "esp-delta-ota",
            "patch": file,
            "size": patch.len(),
            "share": share,
            "from": { "sha256": Digest::of(&from.bytes), "running_sha256": running },
            "to": { "sha256": Digest::of(&to.bytes), "size": to.bytes.len() },
        });
        let size = units::readable_size(patch.len() as u64);
        let lines = [
            ("patch", file.display().to_string()),
            ("size", format!("{size}, {} of the image", percent(share))),
            ("for devices that run", running.to_string()),
        ];
        Ok(context.printer.object(&json, &lines)?)
    }

    /// A file of that name, else the image of the release.
    async fn image(&self, context: &Context<'_>, what: &str) -> Result<Named> {
        let path = Path::new(what);
        let (name, bytes) = if path.is_file() {
            let stem = path.file_stem().unwrap_or_default();
            (stem.to_string_lossy().into_owned(), read(path)?)
        } else {
            let (product, version) = self.release(what)?;
            let image = context.client()?.fetch_image(product, &version).await;
            let image = image.with_context(|| format!("could not fetch the image of {version}"))?;
            (format!("{product}-{version}"), image.to_vec())
        };
        let refused = || format!("{what} is refused: esp_delta_ota is for images of ESP-IDF");
        let facts = Image::parse(&bytes).with_context(refused)?;
        Ok(Named { name, bytes, chip: facts.chip })
    }

    fn release(&self, what: &str) -> Result<(&ProductName, ReleaseVersion)> {
        let no_file = || format!("{what} is no file");
        let Some(product) = &self.product else {
            let hint = format!("{}; as the version of a release it needs --product", no_file());
            return Err(WrongUsage(hint).into());
        };
        match what.parse() {
            Ok(version) => Ok((product, version)),
            Err(_) => Err(WrongUsage(format!("{}, and no version of a release", no_file())).into()),
        }
    }
}
