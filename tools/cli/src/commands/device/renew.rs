use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use otaru_client::NewDevice;
use otaru_wire::ThingName;

use super::folder::Folder;
use crate::commands::Context;

#[derive(Args, Debug)]
pub struct Renew {
    /// The device
    thing: ThingName,
    /// Folder for cert.pem, key.pem, ca.pem, root.pub and device.toml
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Renew {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let folder = Folder::prepare(self.out.clone())?;
        let device = folder.unless_done(self.fill(&folder, context).await)?;
        folder.print(context, &self.thing, &device)
    }

    async fn fill(&self, folder: &Folder, context: &Context<'_>) -> Result<NewDevice> {
        let question =
            format!("the certificate that {} has now will stop working; renew it?", self.thing);
        context.confirm(&question)?;
        let device = context.client()?.renew_certificate(&self.thing).await?;
        folder.write(&self.thing, &device)?;
        Ok(device)
    }
}
