mod export;

use anyhow::Result;
use clap::Subcommand;
use otaru_client::Patch;

use super::WhichRelease;
use crate::commands::Context;
use crate::output::or_dash;
use crate::units;

#[derive(Subcommand, Debug)]
pub enum PatchCommand {
    /// List the patches to a release: made, under way or skipped, with their sizes
    List(WhichRelease),
    /// Make a patch for devices that have no agent of ours
    Export(export::Export),
}

impl PatchCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            PatchCommand::Export(export) => export.run(context).await,
            PatchCommand::List(WhichRelease { release_version: version, product }) => {
                let page = context.client()?.list_patches(&product, &version).await?;
                let columns = ["from", "codec", "state", "size", "share", "why", "next try"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
        }
    }
}

fn row(patch: &Patch) -> Vec<String> {
    let base = patch.base_version.as_deref().or(patch.base.as_deref());
    let why = match (&patch.reason, &patch.detail) {
        (Some(reason), Some(detail)) => Some(format!("{reason}: {detail}")),
        (reason, _) => reason.clone(),
    };
    vec![
        base.unwrap_or("nothing (packed image)").to_owned(),
        patch.codec.clone(),
        patch.state.clone(),
        or_dash(patch.size.map(units::readable_size).as_deref()),
        or_dash(patch.share.map(percent).as_deref()),
        or_dash(why.as_deref()),
        or_dash(patch.next_try_at.as_deref()),
    ]
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
