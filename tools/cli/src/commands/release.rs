mod publish;
mod sign;
mod signing;
mod verify;
mod words;

use anyhow::Result;
use clap::{Args, Subcommand};
use otaru_client::{Object, Release};
use otaru_wire::{ProductName, ReleaseVersion};

pub(super) use verify::seconds_since_1970;

use super::{Context, ListOptions};
use crate::units;

#[derive(Subcommand, Debug)]
pub enum ReleaseCommand {
    /// Sign an image and publish it, or publish one that is signed already
    // `--version` is the release's here, not the program's.
    #[command(disable_version_flag = true)]
    Publish(publish::Publish),
    /// Sign an image without publishing it; works without a server
    #[command(disable_version_flag = true)]
    Sign(sign::Sign),
    /// List a product's releases, newest first
    List(ReleaseListOptions),
    /// Show a release
    Show(WhichRelease),
    /// Withdraw a release: nobody can install it any more
    Yank(WhichRelease),
    /// Check an image against its manifest and root document; works without a server
    Verify(verify::Verify),
}

#[derive(Args, Debug)]
pub struct WhichRelease {
    /// Its version
    #[arg(value_name = "VERSION")]
    release_version: ReleaseVersion,
    /// Its product
    #[arg(long, value_name = "NAME")]
    product: ProductName,
}

#[derive(Args, Debug)]
pub struct ReleaseListOptions {
    /// Their product
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    #[command(flatten)]
    list: ListOptions,
}

impl ReleaseCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            ReleaseCommand::Publish(publish) => publish.run(context).await,
            ReleaseCommand::Sign(sign) => sign.run(context),
            ReleaseCommand::Verify(verify) => verify.run(context),
            ReleaseCommand::List(ReleaseListOptions { product, list }) => {
                let client = context.client()?;
                let page = list
                    .fetch(async |paging| client.list_releases(&product, &paging).await)
                    .await?;
                let columns = ["version", "sequence", "channel", "size", "yanked", "sha256"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
            ReleaseCommand::Show(WhichRelease { release_version: version, product }) => {
                print(context, &context.client()?.show_release(&product, &version).await?)
            }
            ReleaseCommand::Yank(WhichRelease { release_version: version, product }) => {
                context.confirm(&format!("Withdraw {product} {version} for good?"))?;
                print(context, &context.client()?.yank_release(&product, &version).await?)
            }
        }
    }
}

fn row(release: &Release) -> Vec<String> {
    vec![
        release.version.clone(),
        release.sequence.to_string(),
        release.channel.clone(),
        units::readable_size(release.size),
        if release.yanked { "yes" } else { "no" }.to_owned(),
        release.sha256.clone(),
    ]
}

fn print(context: &Context<'_>, release: &Object<Release>) -> Result<()> {
    let mut lines = vec![
        ("product", release.product.clone()),
        ("version", release.version.clone()),
        ("sequence", release.sequence.to_string()),
        ("channel", release.channel.clone()),
        ("size", format!("{} bytes", release.size)),
        ("sha256", release.sha256.clone()),
        ("yanked", if release.yanked { "yes" } else { "no" }.to_owned()),
    ];
    let one = |name, (language, text): (&String, &String)| (name, format!("{language}: {text}"));
    lines.extend(release.notes_by_language.iter().map(|text| one("notes", text)));
    if let Some(safety) = &release.safety {
        lines.push(("safety", format!("at night after {} hours", safety.deadline_hours)));
        lines.extend(safety.reason.iter().map(|text| one("reason", text)));
    }
    Ok(context.printer.object(release.json(), &lines)?)
}
