use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use otaru_client::NewDevice;
use otaru_wire::{ProductName, ThingName};

use super::folder::Folder;
use crate::commands::{Context, authority};

#[derive(Args, Debug)]
pub struct Add {
    /// Its thing name, at most 64 of [a-zA-Z0-9:_-]
    thing: ThingName,
    /// What kind it is
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// Its certificate of one of your own authorities, PEM, if it has one: then none is issued
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Folder for cert.pem, key.pem, ca.pem, root.pub and device.toml
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Add {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let folder = Folder::prepare(self.out.clone())?;
        let device = folder.unless_done(self.fill(&folder, context).await)?;
        folder.print(context, &self.thing, &device)
    }

    async fn fill(&self, folder: &Folder, context: &Context<'_>) -> Result<NewDevice> {
        let client = context.client()?;
        let device = match &self.certificate {
            None => client.add_device(&self.thing, &self.product).await?,
            Some(file) => {
                let certificate = authority::read_pem(file)?;
                client.register_device(&self.thing, &self.product, &certificate).await?
            }
        };
        folder.write(&self.thing, &device)?;
        Ok(device)
    }
}
