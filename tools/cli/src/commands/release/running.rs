use anyhow::Result;
use clap::Args;
use otaru_client::RunningDevice;
use otaru_wire::{ProductName, ReleaseVersion};

use crate::commands::{Context, ListOptions};
use crate::output::or_dash;

#[derive(Args, Debug)]
pub struct RunningOptions {
    /// Only devices that run this release, withdrawn or not
    #[arg(value_name = "VERSION")]
    release_version: Option<ReleaseVersion>,
    /// Their product
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    #[command(flatten)]
    list: ListOptions,
}

impl RunningOptions {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        let (product, version) = (&self.product, self.release_version.as_ref());
        let page = self
            .list
            .fetch(async |paging| client.list_running(product, version, &paging).await)
            .await?;
        let columns = ["thing", "version", "state", "source", "sbom", "sbom sha256"];
        Ok(context.printer.page(&page, &columns, row)?)
    }
}

fn row(device: &RunningDevice) -> Vec<String> {
    let running = device.running.as_ref();
    let release = device.release.as_ref();
    let state = release.map(|release| super::state(&release.state, release.trust.as_deref()));
    let source = release.and_then(|release| release.source.as_ref());
    let sbom = release.and_then(|release| release.sbom.as_ref());
    vec![
        device.thing.clone(),
        or_dash(running.and_then(|running| running.version.as_deref())),
        or_dash(state.as_deref()),
        or_dash(source.map(super::source).as_deref()),
        or_dash(sbom.map(super::sbom).as_deref()),
        or_dash(sbom.map(|sbom| sbom.sha256.as_str())),
    ]
}
