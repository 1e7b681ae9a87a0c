//! A Linux gateway: this program is its boot selector and its agent, the product's program runs
//! from the slot that was chosen.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use otaru_agent::{DailyWindow, ResetCause};
use otaru_host::{Host, start_slot};
use otaru_release::Chip;
use otaru_slots::{Layout, Slot};
use tokio::time::Instant;

use outage::{Outage, is_of_state};

use crate::firmware::Firmware;
use crate::product::{Commands, Product, Running, Stage};
use crate::program::{self, Left, Ran};
use crate::slot_files::{SlotFiles, SlotsError};
use crate::{FileFlash, Hook, Identity, IdentityError, RenewalOptions, SimError, SimOptions};

/// How long the product's program is left alone after it ended in a trial.
const AFTER_CRASH: Duration = Duration::from_secs(1);

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Folder with `cert.pem`, `key.pem`, `ca.pem`, `root.pub` and `device.toml`.
    pub dir: PathBuf,
    /// Its slots and its state.
    pub slots: SlotFiles,
    /// The image in the first slot of a gateway that starts for the first time.
    pub first_image: Option<PathBuf>,
    /// The product's programs.
    pub commands: Commands,
    /// How long new firmware looks for the broker before it goes back.
    pub broker_limit: Duration,
    /// Whether updates come as patches where the server has them.
    pub patches: bool,
    /// Upper bound of the first delay before another try.
    pub retry_base: Duration,
    /// Upper bound of every delay before another try.
    pub retry_cap: Duration,
    /// When new firmware may be started, by local time; `None` is always.
    pub restart_window: Option<DailyWindow>,
    /// The product's word on when an update may go on; `None` is always now.
    pub hook: Option<Hook>,
    /// How its certificate is renewed; `None` is never.
    pub renewal: Option<RenewalOptions>,
}

/// Why a gateway cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Its product has images for a chip.
    #[error(
        "device.toml has chip {found}, expected one of raw images: make the product with \
         `--chip linux --images raw`"
    )]
    Chip {
        /// The chip in `device.toml`, or `none`.
        found: String,
    },
    /// A file could not be used, or the slots hold nothing to run.
    #[error(transparent)]
    Device(#[from] SimError),
    /// Slots or state could not be used.
    #[error(transparent)]
    Slots(#[from] SlotsError),
}

impl From<IdentityError> for GatewayError {
    fn from(error: IdentityError) -> GatewayError {
        GatewayError::Device(error.into())
    }
}

/// Runs a gateway until `shutdown`, and ends the product's program then.
///
/// `enrolment` makes the folder a device's, and is over at once where nothing is to be made. Until
/// there is a `device.toml` the product runs without an agent; behind that it goes on beside both.
///
/// `started` is called once, when state and identity are good and the product runs. State that
/// cannot be read or written later costs updates, not the product: it is kept running until the
/// state is good again.
///
/// Errors: what a technician would have to repair.
pub async fn run_gateway(
    options: &GatewayOptions,
    enrolment: impl Future<Output = ()>,
    started: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> Result<(), GatewayError> {
    let stage = Arc::<Stage>::default();
    let running = std::pin::pin!(run(options, &stage, enrolment, started));
    let ended = tokio::select! {
        error = running => Err(error),
        () = shutdown => Ok(()),
    };
    // The product ends as it is used to, whatever ended the agent.
    stage.stop().await;
    ended
}

async fn run(
    options: &GatewayOptions,
    stage: &Arc<Stage>,
    enrolment: impl Future<Output = ()>,
    started: impl FnOnce(),
) -> GatewayError {
    let (mut enrolment, mut is_enrolled) = (std::pin::pin!(enrolment), false);
    if !Identity::has_settings(&options.dir) {
        tokio::select! {
            biased;
            () = &mut enrolment => is_enrolled = true,
            never = alone::keep_running(options, stage) => match never {},
        }
    }
    let mut running = std::pin::pin!(run_with_agent(options, stage, started));
    loop {
        tokio::select! {
            error = &mut running => return error,
            () = &mut enrolment, if !is_enrolled => is_enrolled = true,
        }
    }
}

/// Runs for ever, but for what a technician would have to repair first.
async fn run_with_agent(
    options: &GatewayOptions,
    stage: &Arc<Stage>,
    started: impl FnOnce(),
) -> GatewayError {
    let identity = match Identity::read_settings(&options.dir) {
        Ok(identity) => identity,
        Err(error) => return error.into(),
    };
    let chip = match raw_chip(&identity) {
        Ok(chip) => chip,
        Err(error) => return error,
    };
    let agent_options = agent_options(options);
    let boots = Boots { options, agent_options: &agent_options, identity: &identity, chip };
    boots.run_on(stage, started).await
}

/// Looks whether the folder is one of a gateway, with everything in it that a session with the
/// server takes; changes nothing.
pub fn check_provisioning(dir: &Path) -> Result<(), GatewayError> {
    let identity = Identity::read(dir)?;
    identity.check()?;
    raw_chip(&identity).map(drop)
}

/// The chip, which is none of those whose images say themselves what they are.
fn raw_chip(identity: &Identity) -> Result<Chip, GatewayError> {
    match identity.chip {
        Some(chip) if !chip.runs_esp_images() => Ok(chip),
        found => {
            let found = found.map_or_else(|| "none".to_owned(), |chip| chip.to_string());
            Err(GatewayError::Chip { found })
        }
    }
}

fn agent_options(options: &GatewayOptions) -> SimOptions {
    SimOptions {
        self_test: options.commands.self_test_limit,
        broker_limit: options.broker_limit,
        patches: options.patches,
        retry_base: options.retry_base,
        retry_cap: options.retry_cap,
        trust_spread: Duration::from_secs(600),
        restart_window: options.restart_window,
        hook: options.hook.clone(),
        renewal: options.renewal,
        // The chip is in files of its own.
        ..SimOptions::new(&options.dir, "")
    }
}

/// What all boots of a process share.
struct Boots<'a> {
    options: &'a GatewayOptions,
    agent_options: &'a SimOptions,
    identity: &'a Identity,
    chip: Chip,
}

impl Boots<'_> {
    /// Runs for ever, but for what a technician would have to repair first.
    async fn run_on(&self, stage: &Arc<Stage>, started: impl FnOnce()) -> GatewayError {
        let mut started = Some(started);
        let mut outage = Outage::default();
        loop {
            let slots = &self.options.slots;
            let error = match slots.open(self.options.first_image.as_deref()) {
                Ok(flash) => {
                    let begin = Instant::now();
                    let Err(error) = self.run(flash, stage, &mut started).await;
                    outage.is_behind(begin.elapsed());
                    error.into()
                }
                Err(error) => error.into(),
            };
            if !is_of_state(&error) || !slots.has_current() {
                return error;
            }
            outage.log(&error);
            let commands = self.options.commands.clone();
            let mut product = Product::Commands(Running::on(commands, Arc::clone(stage)));
            if let Some(started) = started.take() {
                started();
            }
            let wait = outage.next_wait(self.options.retry_base, self.options.retry_cap);
            product.keep_running(wait, || slots.is_writable()).await;
        }
    }

    async fn run(
        &self,
        mut flash: FileFlash,
        stage: &Arc<Stage>,
        started: &mut Option<impl FnOnce()>,
    ) -> Result<Infallible, SimError> {
        // Whether power went or the process alone is all the same.
        let mut reset = ResetCause::PowerOn;
        loop {
            let layout = Layout::read(&mut flash)?;
            let slot = start_slot(&mut flash, &layout, Some(self.chip))?;
            // The watchdog is fed between the hashes of a slot.
            tokio::task::yield_now().await;
            let mut host = Host::start(flash.clone(), layout, slot, Some(self.chip))?;
            let image_bytes = host.image()?.size_bytes;
            tokio::task::yield_now().await;
            let is_in_force = self.activate(slot, image_bytes).await?;
            let thing = &self.identity.thing;
            tracing::info!(device.thing = %thing, device.slot = %slot, ?reset, "Booted");
            let commands = self.options.commands.clone();
            // One that was kept running without an agent begins again with it.
            stage.stop().await;
            let running = Running::of(commands, Arc::clone(stage), is_in_force);
            let product = Product::Commands(running);
            let (options, identity) = (self.agent_options, self.identity);
            let firmware = Firmware::start(options, identity, host, self.chip, product, reset)?;
            if let Some(started) = started.take() {
                started();
            }
            reset = firmware.run().await?;
            if reset == ResetCause::Panic {
                tokio::time::sleep(AFTER_CRASH).await;
            }
        }
    }

    /// Points `current` at the slot, and has the product started again if it changed; whether
    /// that runs now what `current` says.
    async fn activate(&self, slot: Slot, image_bytes: u32) -> Result<bool, SimError> {
        let slots = &self.options.slots;
        slots.activate(slot, image_bytes).map_err(|source| in_state(slots, source))?;
        put_in_force(self.options).await
    }
}

fn in_state(slots: &SlotFiles, source: std::io::Error) -> SimError {
    SimError::File { path: slots.state.clone(), source }
}

/// Has a product that something else keeps running started again if `current` changed; whether it
/// runs now what that says.
async fn put_in_force(options: &GatewayOptions) -> Result<bool, SimError> {
    let (slots, commands) = (&options.slots, &options.commands);
    let Some(restart) = commands.restart.as_ref().filter(|_| !slots.is_in_force()) else {
        return Ok(true);
    };
    // Neither the agent nor a trial begins before it has ended.
    match program::run(restart, Vec::new(), commands.restart_limit, Left::Runs).await {
        Ok(Ran::Passed) => {
            slots.put_in_force().map_err(|source| in_state(slots, source))?;
            return Ok(true);
        }
        // It ends a trial, and otherwise the next boot tries again.
        Ok(Ran::Failed | Ran::TimedOut) => {
            tracing::error!("The product could not be started again");
        }
        Err(error) => tracing::error!(%error, "The product could not be started again"),
    }
    Ok(false)
}

mod alone;
mod outage;
#[cfg(test)]
mod tests;
