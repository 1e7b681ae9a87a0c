//! `otaru sim`: simulated devices, one or many, provisioned from a folder each.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use otaru_linux::{Chance, Faults, Hook, OfferDecision, SimOptions, run_simulated_device};

use crate::machine;

mod fleet;
mod speeds;
mod summary;

use speeds::Speeds;

/// Flags of `otaru sim`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SimArguments {
    /// Folder with cert.pem, key.pem, ca.pem, root.pub and device.toml (`device add` writes it);
    /// with --devices, the folder of them all.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The device's flash, a file; made when it is not there.
    #[arg(long, value_name = "FILE", required_unless_present = "devices")]
    flash: Option<PathBuf>,
    /// Image in the first slot of a new flash file.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    fleet: fleet::FleetArguments,
    /// The chip's revision, such as 0.3; releases for other revisions are then refused.
    #[arg(long, value_name = "REVISION", value_parser = otaru_cli::chip_revision)]
    chip_revision: Option<u16>,
    /// How long the self-test of new firmware takes, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    self_test_ms: u64,
    /// Speed of the download link, in kilobits a second, or a range of which each device has
    /// its own, such as 64-2048; no limit if not given.
    #[arg(long, value_name = "N[-N]")]
    link_kbps: Option<Speeds>,
    /// Updates come as full images, also where the server has patches.
    #[arg(long)]
    full_images: bool,
    /// How many of a hundred connections are cut: to the broker within half a minute, downloads
    /// anywhere.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(..=100))]
    loss_percent: u8,
    /// How long a connection lasts on average, such as 10m.
    #[arg(long, value_name = "TIME", value_parser = otaru_cli::duration)]
    cut_every: Option<Duration>,
    /// How many of a hundred self-tests of good firmware fail.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(..=100))]
    self_test_fails_percent: u8,
    /// Decides what happens by chance: the same seed gives each device the same link, and the
    /// same luck.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
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

impl SimArguments {
    /// One device tells what it does; many would drown it.
    pub(crate) fn log_to_stderr(&self) {
        match self.fleet.devices {
            Some(_) => machine::log_to_stderr_by("error", false),
            None => machine::log_to_stderr(false),
        }
    }

    /// How one device runs; `number` chooses its luck.
    fn device_options(&self, number: u64, dir: PathBuf, flash: PathBuf) -> SimOptions {
        let chance = Chance::new(self.seed, number);
        let mut faults = Faults::by(chance.clone());
        faults.loss_percent = self.loss_percent;
        faults.cut_every = self.cut_every;
        faults.self_test_fails_percent = self.self_test_fails_percent;
        SimOptions {
            hook: self.hook(),
            image: self.image.clone(),
            chip_revision: self.chip_revision,
            self_test: Duration::from_millis(self.self_test_ms),
            patches: !self.full_images,
            link_kbps: self.link_kbps.map(|speeds| speeds.draw(&chance)),
            retry_base: Duration::from_millis(self.retry_base_ms),
            faults,
            ..SimOptions::new(dir, flash)
        }
    }

    fn hook(&self) -> Option<Hook> {
        let deferring = self.defer_s.map(|seconds| Hook::deferring(Duration::from_secs(seconds)));
        let hook = deferring.or_else(|| self.decision_file.clone().map(Hook::in_file));
        match self.answer_offers {
            Some(answer) => Some(hook.unwrap_or_default().answering_offers(answer)),
            None => hook,
        }
    }
}

/// Runs the device, or all of them, until SIGTERM or Ctrl-C.
pub(crate) async fn sim(
    arguments: SimArguments,
    client: &otaru_cli::Options,
) -> anyhow::Result<()> {
    if let Some(count) = arguments.fleet.devices {
        return fleet::run(&arguments, count, client).await;
    }
    let flash = arguments.flash.clone().context("one device needs --flash")?;
    let options = arguments.device_options(0, arguments.dir.clone(), flash);
    run_simulated_device(options, machine::asked_to_end()).await?;
    Ok(())
}
