use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use otaru_release::{Image, Manifest, PublicKey, RootDocument};
use serde_json::json;

use super::signing::{self, read};
use crate::commands::Context;

#[derive(Args, Debug)]
pub struct Verify {
    /// The firmware image
    image: PathBuf,
    /// Its signed manifest
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The signed root document
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The root public key that devices are built with; without it the root document is believed
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, context: &Context<'_>) -> Result<()> {
        let root_bytes = read(&self.root)?;
        let root = match &self.root_key {
            Some(path) => {
                let key = PublicKey::from_file(&String::from_utf8_lossy(&read(path)?))
                    .with_context(|| format!("could not use {}", path.display()))?;
                RootDocument::verify(&root_bytes, &[key])
            }
            None => RootDocument::verify_self_signed(&root_bytes),
        };
        let root = root.with_context(|| format!("{} is refused", self.root.display()))?;
        let refused = || format!("{} is refused", self.manifest.display());
        let manifest = Manifest::verify(&read(&self.manifest)?, &root, seconds_since_1970())
            .with_context(refused)?;
        let image = read(&self.image)?;
        let facts =
            Image::parse(&image).with_context(|| format!("{} is refused", self.image.display()))?;
        manifest.describes(&facts).with_context(refused)?;
        manifest.describes_chunks(&image).with_context(refused)?;
        print(context, &manifest, &root)
    }
}

fn print(context: &Context<'_>, manifest: &Manifest, root: &RootDocument) -> Result<()> {
    let (mut json, mut lines) = signing::shown(manifest);
    json["root_number"] = json!(root.number);
    lines.push(("signed by", format!("a release key of root document {}", root.number)));
    Ok(context.printer.object(&json, &lines)?)
}

/// `None` when the clock is set to before 1970, which is no clock.
#[expect(clippy::disallowed_methods, reason = "a person at a command line has no other clock")]
pub(in crate::commands) fn seconds_since_1970() -> Option<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
