use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_client::NewDevice;
use otaru_release::PublicKey;
use otaru_wire::{ProductName, ThingName};

use crate::commands::Context;
use crate::keys;

#[derive(Args, Debug)]
pub struct Add {
    /// Its thing name, at most 64 of [a-zA-Z0-9:_-]
    thing: ThingName,
    /// What kind it is
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// Folder for cert.pem, key.pem, ca.pem, root.pub and device.toml
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

const FILES: [&str; 5] = ["cert.pem", "key.pem", "ca.pem", "root.pub", "device.toml"];

impl Add {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        // Looked at before the device is registered: its key exists only in the server's answer.
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("could not make {}", self.out.display()))?;
        if let Some(path) =
            FILES.map(|name| self.out.join(name)).into_iter().find(|path| path.exists())
        {
            bail!("{} exists; give an empty folder", path.display());
        }
        let device = context.client()?.add_device(&self.thing, &self.product).await?;
        write_files(&self.out, &device)?;
        let folder = self.out.display().to_string();
        let lines = [
            ("thing", self.thing.to_string()),
            ("product", self.product.to_string()),
            ("folder", folder),
        ];
        Ok(context.printer.object(&device.device, &lines)?)
    }
}

fn write_files(folder: &Path, device: &NewDevice) -> Result<()> {
    // A device that trusts nothing, or anything, must not leave the workbench.
    PublicKey::from_file(&device.root_pub).context("the server's root key is refused")?;
    let contents = [
        (&device.cert_pem, 0o644),
        (&device.key_pem, 0o600),
        (&device.ca_pem, 0o644),
        (&device.root_pub, 0o644),
        (&device.device_toml, 0o644),
    ];
    for (name, (text, mode)) in FILES.iter().zip(contents) {
        keys::write_new(&folder.join(name), text.as_bytes(), mode)?;
    }
    Ok(())
}
