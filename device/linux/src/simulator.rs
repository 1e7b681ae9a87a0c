//! Simulated devices: power-on, boot, firmware, restart, and around again.

use std::io;
use std::path::PathBuf;

use otaru_agent::ResetCause;
use otaru_host::{Host, HostError, start_slot};
use otaru_release::Behaviour;
use otaru_slots::{FlashError, Layout, StorageError, TableError};
use tokio::sync::Semaphore;

use crate::firmware::Firmware;
use crate::product::Product;
use crate::{FileFlash, FileFlashError, Identity, IdentityError, SimOptions, boot};

/// Boots that may be under way at a time in this process.
static BOOTS: Semaphore = Semaphore::const_new(1);

/// Why a device cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The provisioning folder is not a device's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file could not be read or written.
    #[error("could not use {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no flash file yet, and no image to make one with.
    #[error("a new flash file needs an image for its first slot")]
    NoImage,
    /// The image is longer than a slot.
    #[error("image of {size_bytes} bytes does not fit a slot of {slot_bytes} bytes")]
    ImageTooLarge {
        /// Length of the image.
        size_bytes: usize,
        /// Length of the slot.
        slot_bytes: u32,
    },
    /// Flash has no readable partition table, or the sizes asked for make none.
    #[error("flash has no usable partition table")]
    Layout(#[from] TableError),
    /// Flash failed.
    #[error("flash failed")]
    Flash(#[from] FlashError),
    /// The flash file failed.
    #[error(transparent)]
    FlashFile(#[from] FileFlashError),
    /// The records could not be read or written.
    #[error("storage failed")]
    Storage(#[from] StorageError),
    /// No slot holds an image that may run.
    #[error("no slot holds a bootable image")]
    NoBootableImage,
}

impl From<HostError> for SimError {
    fn from(error: HostError) -> SimError {
        match error {
            HostError::Flash(error) => SimError::Flash(error),
            HostError::Storage(error) => SimError::Storage(error),
            HostError::NoBootableImage => SimError::NoBootableImage,
        }
    }
}

/// Runs one simulated device until `shutdown`; a restart keeps its flash file and nothing else.
///
/// Errors: what a technician would have to repair. Faults of link, server,
/// certificates and images are the device's own business and never end it.
pub async fn run_simulated_device(
    options: SimOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SimError> {
    let identity = Identity::read(&options.dir)?;
    if !options.flash.exists() {
        boot::make_flash(&options)?;
    }
    let in_file = |source| SimError::File { path: options.flash.clone(), source };
    let flash = FileFlash::open(&options.flash).map_err(in_file)?;
    tokio::select! {
        result = run_for_ever(&options, &identity, flash) => result,
        () = shutdown => Ok(()),
    }
}

/// Boots and boots again, from power-on until power goes or nothing boots any more.
pub(crate) async fn run_for_ever(
    options: &SimOptions,
    identity: &Identity,
    mut flash: FileFlash,
) -> Result<(), SimError> {
    // A process that starts is a device that gets power; later restarts know their cause.
    let mut reset = ResetCause::PowerOn;
    loop {
        // Let in one by one: hashing slots would keep others from answering their broker.
        let turn = BOOTS.acquire().await.ok();
        let layout = Layout::read(&mut flash)?;
        let slot = start_slot(&mut flash, &layout, identity.chip)?;
        tracing::info!(device.thing = %identity.thing, device.slot = %slot, ?reset, "Booted");
        let image = boot::running(&mut flash, &layout, slot)?;
        if image.behaviour == Behaviour::Crash {
            drop(turn);
            // Crashing firmware still takes its time to come up; a loop of it must not spin.
            tokio::time::sleep(options.retry_base.min(options.watchdog)).await;
            reset = ResetCause::Panic;
            continue;
        }
        let host = Host::start(flash.clone(), layout, slot, identity.chip)?;
        let chip = identity.chip.unwrap_or(image.chip);
        let self_test = options.self_test;
        let behaviour = match image.behaviour {
            Behaviour::Pass if options.faults.self_test_fails() => Behaviour::Fail,
            behaviour => behaviour,
        };
        let product = Product::Simulated { behaviour, self_test };
        let firmware = Firmware::start(options, identity, host, chip, product, reset)?;
        drop(turn);
        reset = firmware.run().await?;
    }
}
