use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_release::{Image, Manifest, PublicKey, RootDocument};
use otaru_wire::{ProductName, ReleaseVersion};
use serde_json::json;

use super::signing::{self, read};
use crate::commands::Context;

#[derive(Args, Debug)]
pub struct Verify {
    /// The firmware image
    #[arg(required_unless_present = "product")]
    image: Option<PathBuf>,
    /// Its signed manifest
    #[arg(long, value_name = "FILE", required_unless_present = "product")]
    manifest: Option<PathBuf>,
    /// Signed root documents: the first that --root-key signed, then each its next
    #[arg(long, value_name = "FILE", required_unless_present = "product")]
    root: Vec<PathBuf>,
    /// The root public key that devices are built with; without it the first document is believed
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// Check what the server has of this product instead of files; nothing it says is believed
    #[arg(long, value_name = "NAME", requires_all = ["release_version", "root_key"],
        conflicts_with_all = ["image", "manifest", "root"])]
    product: Option<ProductName>,
    /// The release to check at the server
    #[arg(long = "version", value_name = "VERSION", requires = "product")]
    release_version: Option<ReleaseVersion>,
}

/// The bytes to check, with what to call them.
struct Evidence {
    roots: Vec<(String, Vec<u8>)>,
    manifest: (String, Vec<u8>),
    image: (String, Vec<u8>),
}

impl Verify {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let evidence = match self.product.as_ref().zip(self.release_version.as_ref()) {
            Some((product, version)) => fetch(context, product, version).await?,
            None => self.files()?,
        };
        let root = self.walk(&evidence.roots)?;
        let (name, bytes) = &evidence.manifest;
        let refused = || format!("{name} is refused");
        let manifest =
            Manifest::verify(bytes, &root, seconds_since_1970()).with_context(refused)?;
        let (image_name, image) = &evidence.image;
        if manifest.chip.runs_esp_images() {
            let facts = Image::parse(image).with_context(|| format!("{image_name} is refused"))?;
            manifest.describes(&facts).with_context(refused)?;
            manifest.describes_chunks(image).with_context(refused)?;
        } else {
            manifest.describes_raw(image, manifest.chip).with_context(refused)?;
        }
        self.is_what_was_asked_for(&manifest)?;
        print(context, &manifest, &root)
    }

    fn files(&self) -> Result<Evidence> {
        let named =
            |path: &PathBuf| Ok::<_, anyhow::Error>((path.display().to_string(), read(path)?));
        let given = "clap asks for it where there is no product";
        Ok(Evidence {
            roots: self.root.iter().map(named).collect::<Result<_>>()?,
            manifest: named(self.manifest.as_ref().context(given)?)?,
            image: named(self.image.as_ref().context(given)?)?,
        })
    }

    /// The newest root document, walked to from the first, which the public key must have signed.
    fn walk(&self, roots: &[(String, Vec<u8>)]) -> Result<RootDocument> {
        let ((name, first), rest) = roots.split_first().context("there is no root document")?;
        let root = match &self.root_key {
            Some(path) => {
                let key = PublicKey::from_file(&String::from_utf8_lossy(&read(path)?))
                    .with_context(|| format!("could not use {}", path.display()))?;
                RootDocument::verify(first, &[key])
            }
            None => RootDocument::verify_self_signed(first),
        };
        let mut root = root.with_context(|| format!("{name} is refused"))?;
        for (name, next) in rest {
            root = root.verify_next(next).with_context(|| format!("{name} is refused"))?;
        }
        Ok(root)
    }

    /// A server could answer with another release that is signed as well.
    fn is_what_was_asked_for(&self, manifest: &Manifest) -> Result<()> {
        let (Some(product), Some(version)) = (&self.product, &self.release_version) else {
            return Ok(());
        };
        if (&manifest.product, &manifest.version) != (product, version) {
            let (found, label) = (&manifest.product, &manifest.version);
            bail!("the server answered with {found} {label} instead of {product} {version}");
        }
        Ok(())
    }
}

async fn fetch(
    context: &Context<'_>,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Evidence> {
    let client = context.client()?;
    let roots = client.fetch_roots(product).await?;
    let roots = roots.into_iter().zip(1..);
    Ok(Evidence {
        roots: roots
            .map(|(bytes, number)| (format!("root document {number}"), bytes.to_vec()))
            .collect(),
        manifest: (
            format!("{product}/{version}.manifest"),
            client.fetch_manifest(product, version).await?.to_vec(),
        ),
        image: (
            format!("{product}/{version}.bin"),
            client.fetch_image(product, version).await?.to_vec(),
        ),
    })
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
