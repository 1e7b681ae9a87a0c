mod approval;
mod link;
mod patch;
mod provenance;
mod publish;
mod running;
mod sign;
mod signing;
mod verify;
mod waiting;
mod words;

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use otaru_client::{ImageRecord, Object, Page, Paging, Release, RunningDevice, Sbom, Source};
use otaru_wire::{ProductName, ReleaseVersion};

pub(super) use verify::seconds_since_1970;

use super::{Context, ListOptions};
use crate::units;

#[derive(Subcommand, Debug)]
pub enum ReleaseCommand {
    /// Sign an image and publish it, or publish one that is signed already
    // `--version` is the release's here, not the program's.
    #[command(disable_version_flag = true)]
    Publish(Box<publish::Publish>),
    /// Sign an image without publishing it; works without a server
    #[command(disable_version_flag = true)]
    Sign(sign::Sign),
    /// List the images in the watched bucket: which wait for a signature, which were refused and why
    Waiting(waiting::WaitingOptions),
    /// List a product's releases, newest first
    List(ReleaseListOptions),
    /// Show a release
    Show(WhichRelease),
    /// Publish a draft: from then on devices are offered it
    PublishDraft(WhichRelease),
    /// Approve a release that another person published: from then on devices are offered it
    Approve(approval::DecideRelease),
    /// Reject a release that waits for approval, for good
    Reject(approval::DecideRelease),
    /// Withdraw a release: nobody can install it any more
    Yank(YankRelease),
    /// Delete a draft, or the image of a withdrawn release that nobody uses
    Delete(WhichRelease),
    /// List devices with the release each runs, its source and software bill of materials
    #[command(disable_version_flag = true)]
    Running(running::RunningOptions),
    /// Print the software bill of materials of a release
    Sbom(WhichRelease),
    /// Print a link that fetches the image of a release without certificate or token
    Link(link::LinkOptions),
    /// Show the patches to a release, or make one for other devices
    #[command(subcommand)]
    Patch(patch::PatchCommand),
    /// Check a release with the root's public part alone: from files, or as a server has it
    #[command(disable_version_flag = true)]
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
pub struct YankRelease {
    #[command(flatten)]
    which: WhichRelease,
    /// Why, for those who run the fleet
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
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
            ReleaseCommand::Verify(verify) => verify.run(context).await,
            ReleaseCommand::Running(running) => running.run(context).await,
            ReleaseCommand::List(ReleaseListOptions { product, list }) => {
                let client = context.client()?;
                let page = list
                    .fetch(async |paging| client.list_releases(&product, &paging).await)
                    .await?;
                let columns = ["version", "sequence", "channel", "size", "state", "sha256"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
            ReleaseCommand::Show(WhichRelease { release_version: version, product }) => {
                print(context, &context.client()?.show_release(&product, &version).await?)
            }
            ReleaseCommand::PublishDraft(WhichRelease { release_version: version, product }) => {
                print(context, &context.client()?.publish_draft(&product, &version).await?)
            }
            ReleaseCommand::Approve(decide) => decide.approve(context).await,
            ReleaseCommand::Reject(decide) => decide.reject(context).await,
            ReleaseCommand::Yank(YankRelease { which, reason }) => {
                let WhichRelease { release_version: version, product } = which;
                context.confirm(&format!("Withdraw {product} {version} for good?"))?;
                let client = context.client()?;
                let reason = reason.as_deref();
                print(context, &client.yank_release(&product, &version, reason).await?)?;
                let running = client.list_running(&product, Some(&version), &NAMED).await?;
                tell_running(&running, &product, &version);
                Ok(())
            }
            ReleaseCommand::Delete(WhichRelease { release_version: version, product }) => {
                context.confirm(&format!("Delete the image of {product} {version} for good?"))?;
                context.client()?.delete_release(&product, &version).await?;
                Ok(context.printer.line(&format!("{product} {version} is deleted"))?)
            }
            ReleaseCommand::Patch(patch) => patch.run(context).await,
            ReleaseCommand::Waiting(waiting) => waiting.run(context).await,
            ReleaseCommand::Link(link) => link.run(context).await,
            ReleaseCommand::Sbom(WhichRelease { release_version: version, product }) => {
                let document = context.client()?.show_sbom(&product, &version).await?;
                Ok(std::io::stdout().write_all(&document)?)
            }
        }
    }
}

/// Devices named after a yank.
const NAMED: Paging = Paging { limit: Some(10), cursor: None };

/// Who runs a withdrawn release keeps it: whoever withdrew it should know.
fn tell_running(running: &Page<RunningDevice>, product: &ProductName, version: &ReleaseVersion) {
    let things: Vec<&str> = running.items.iter().map(|device| device.thing.as_str()).collect();
    if things.is_empty() {
        return eprintln!("No device runs {version}.");
    }
    let more = if running.next_cursor.is_some() { " and others" } else { "" };
    eprintln!("{}{more} still run {version} and keep it;", things.join(", "));
    eprintln!("`otaru release running {version} --product {product} --all` lists them.");
}

fn row(release: &Release) -> Vec<String> {
    vec![
        release.version.clone(),
        release.sequence.to_string(),
        release.channel.clone(),
        units::readable_size(release.size),
        state(&release.state, release.trust.as_deref()),
        release.sha256.clone(),
    ]
}

/// The state of a release, and why devices refuse it if they do.
fn state(state: &str, trust: Option<&str>) -> String {
    match trust {
        None | Some("trusted") => state.to_owned(),
        Some(refused) => format!("{state}, {refused}"),
    }
}

/// What is to be done about a release that devices refuse.
fn trust(release: &Release) -> Option<&'static str> {
    match release.trust.as_deref()? {
        "key_revoked" => Some("key_revoked: its signer was revoked; sign and publish it again"),
        "key_retired" => Some("key_retired: its signer was replaced; sign and publish it again"),
        _ => None,
    }
}

fn print(context: &Context<'_>, release: &Object<Release>) -> Result<()> {
    let mut lines = vec![
        ("product", release.product.clone()),
        ("version", release.version.clone()),
        ("sequence", release.sequence.to_string()),
        ("channel", release.channel.clone()),
        ("size", format!("{} bytes", release.size)),
        ("sha256", release.sha256.clone()),
        ("state", release.state.clone()),
    ];
    lines.extend(release.signer_key_id.clone().map(|signer| ("signed by", signer)));
    lines.extend(trust(release).map(|trust| ("trust", trust.to_owned())));
    lines.extend(release.approval.iter().flat_map(approval::lines));
    lines.extend(release.yank_reason.clone().map(|reason| ("yanked for", reason)));
    lines.extend(release.image.iter().flat_map(image_lines));
    lines.extend(release.source.as_ref().map(|source_| ("source", source(source_))));
    lines.extend(release.sbom.as_ref().map(|sbom_| ("sbom", sbom(sbom_))));
    let one = |name, (language, text): (&String, &String)| (name, format!("{language}: {text}"));
    lines.extend(release.notes_by_language.iter().map(|text| one("notes", text)));
    if let Some(safety) = &release.safety {
        lines.push(("safety", format!("at night after {} hours", safety.deadline_hours)));
        lines.extend(safety.reason.iter().map(|text| one("reason", text)));
    }
    lines.extend(release.warnings.iter().map(|warning| {
        let said = format!("{} ({})", warning.detail, warning.code);
        ("warning", said)
    }));
    Ok(context.printer.object(release.json(), &lines)?)
}

/// What was read from an image, as far as it says something.
fn image_lines(image: &ImageRecord) -> Vec<(&'static str, String)> {
    let mut lines = vec![("chip", image.chip.clone())];
    if image.format == "raw" {
        lines.push(("image", "raw: nothing is read from it".to_owned()));
        lines.extend(image.project.clone().map(|project| ("project", project)));
        return lines;
    }
    let highest = image.max_revision.map_or("any".to_owned(), units::readable_revision);
    let lowest = units::readable_revision(image.min_revision);
    lines.push(("chip revisions", format!("{lowest} to {highest}")));
    let flash = image.flash_bytes.map(|bytes| format!("{} MiB", bytes >> 20));
    let mode = image.flash_mode.as_deref().unwrap_or("unknown mode");
    lines.extend(flash.map(|size| ("flash", format!("{size}, {mode}"))));
    let texts = [
        ("project", &image.project),
        ("esp-idf", &image.idf_version),
        ("elf sha256", &image.elf_sha256),
    ];
    lines.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
    lines.push(("secure version", image.secure_version.to_string()));
    lines.push(("signature blocks", image.signature_blocks.to_string()));
    lines
}

fn source(source: &Source) -> String {
    format!("{}@{}", source.repository, source.commit)
}

fn sbom(sbom: &Sbom) -> String {
    format!("{} {}, {} components", sbom.format, sbom.spec_version, sbom.components)
}
