use std::time::Duration;

use anyhow::Result;
use clap::Args;
use otaru_wire::ThingName;

use super::WhichRelease;
use crate::commands::Context;
use crate::units;

#[derive(Args, Debug)]
pub struct LinkOptions {
    #[command(flatten)]
    which: WhichRelease,
    /// The device whose download it is: an update of a plain client moves on by it
    #[arg(long, value_name = "THING")]
    thing: Option<ThingName>,
    /// How long the link holds, at most 7d
    #[arg(long, value_name = "TIME", value_parser = units::lifetime, default_value = "1h")]
    lifetime: Duration,
}

impl LinkOptions {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let WhichRelease { release_version: version, product } = &self.which;
        let lifetime_s = u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX);
        let client = context.client()?;
        let link =
            client.create_download_link(product, version, self.thing.as_ref(), lifetime_s).await?;
        let lines = [("url", link.url.clone()), ("expires", link.expires_at.clone())];
        Ok(context.printer.object(link.json(), &lines)?)
    }
}
