//! `otaru sim`: simulated devices, one or many, provisioned from a folder each.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use otaru_linux::{Hook, OfferDecision, SimOptions, run_simulated_device};

use crate::machine;

/// Flags of `otaru sim`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SimArguments {
    /// Folder with cert.pem, key.pem, ca.pem, root.pub and device.toml (`device add` writes it).
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The device's flash, a file; made when it is not there.
    #[arg(long, value_name = "FILE")]
    flash: PathBuf,
    /// Image in the first slot of a new flash file.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The chip's revision, such as 0.3; releases for other revisions are then refused.
    #[arg(long, value_name = "REVISION", value_parser = otaru_cli::chip_revision)]
    chip_revision: Option<u16>,
    /// How long the self-test of new firmware takes, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    self_test_ms: u64,
    /// Speed of the download link, in kilobits a second; no limit if not given.
    #[arg(long, value_name = "N")]
    link_kbps: Option<u32>,
    /// Upper bound of the first delay before another try, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    retry_base_ms: u64,
    /// The product says "later" once before the download and once before the restart of each
    /// release, for so many seconds, and then "now".
    #[arg(long, value_name = "N", conflicts_with = "decision_file")]
    defer_s: Option<u64>,
    /// File that decides when an update may go on, in place of a screen and a button: `now`,
    /// `refuse`, or `later SECONDS [not_now|low_battery|busy]`. Read at each question; changing
    /// it asks at once. Not there is `now`.
    #[arg(long, value_name = "FILE")]
    decision_file: Option<PathBuf>,
    /// The device has a screen, and somebody before it answers every offer so: now, later or
    /// tonight. The product must allow it (`ask_on_device`).
    #[arg(long, value_name = "WHEN")]
    answer_offers: Option<OfferDecision>,
}

/// Runs the device until SIGTERM or Ctrl-C.
pub(crate) async fn sim(arguments: SimArguments) -> anyhow::Result<()> {
    let deferring = arguments.defer_s.map(|seconds| Hook::deferring(Duration::from_secs(seconds)));
    let hook = deferring.or_else(|| arguments.decision_file.map(Hook::in_file));
    let hook = match arguments.answer_offers {
        Some(answer) => Some(hook.unwrap_or_default().answering_offers(answer)),
        None => hook,
    };
    let options = SimOptions {
        hook,
        image: arguments.image,
        chip_revision: arguments.chip_revision,
        self_test: Duration::from_millis(arguments.self_test_ms),
        link_kbps: arguments.link_kbps,
        retry_base: Duration::from_millis(arguments.retry_base_ms),
        ..SimOptions::new(arguments.dir, arguments.flash)
    };
    run_simulated_device(options, machine::asked_to_end()).await?;
    Ok(())
}
