//! Images that were dropped into the bucket that the server watches.

use anyhow::Result;
use clap::Args;
use otaru_client::BucketImage;

use crate::commands::{Context, ListOptions};
use crate::units;

#[derive(Args, Debug)]
pub struct WaitingOptions {
    /// Have the server look at the bucket now: what it finds is listed the next time
    #[arg(long)]
    look: bool,
    #[command(flatten)]
    list: ListOptions,
}

impl WaitingOptions {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        if self.look {
            client.nudge_bucket_watch().await?;
        }
        let page = self.list.fetch(async |paging| client.list_bucket_images(&paging).await).await?;
        let columns = ["path", "state", "size", "sha256", "refused for"];
        Ok(context.printer.page(&page, &columns, row)?)
    }
}

fn row(image: &BucketImage) -> Vec<String> {
    let refused = match (&image.code, &image.detail) {
        (Some(code), Some(detail)) => format!("{code}: {detail}"),
        _ => String::new(),
    };
    vec![
        image.path.clone(),
        image.state.clone(),
        units::readable_size(image.size),
        image.sha256.clone().unwrap_or_default(),
        refused,
    ]
}
