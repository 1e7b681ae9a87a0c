//! Many simulated devices in one process, with power that comes and goes.

use std::panic::resume_unwind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::causes::with_causes;
use crate::presence::Turn;
use crate::simulator::run_for_ever;
use crate::{FactoryFlash, FileFlash, Identity, Presence, SimError, SimOptions, boot};

/// How long a device may take to reach the operation of flash that a cut shall hit.
const CUT_WITHIN: Duration = Duration::from_millis(20);
/// How long power is gone at a cut.
const CUT_LASTS: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_secs(3_600);

/// One device of many. [`SimOptions::image`] is not looked at: the factory has it.
#[derive(Clone, Debug)]
pub struct FleetDevice {
    /// How the device runs.
    pub options: SimOptions,
    /// When it has power.
    pub presence: Presence,
    /// How often its power is cut in an hour on average, wherever it is in its work.
    pub power_cuts_per_hour: u32,
}

/// Makes what all devices of a fleet share: the file of a new chip with this image.
pub fn make_factory_flash(path: &Path, image: &Path) -> Result<(), SimError> {
    boot::make_flash(&SimOptions { image: Some(image.to_owned()), ..SimOptions::new("", path) })
}

/// Lets this process open as many files as the system allows: each device takes up to five.
pub fn raise_open_files() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Runs devices that share a factory until `shutdown`, or until none of them can go on.
///
/// One that cannot is logged, and its view says why; the others do not notice.
pub async fn run_fleet(
    factory: &FactoryFlash,
    devices: Vec<FleetDevice>,
    shutdown: impl Future<Output = ()>,
) {
    let mut running = JoinSet::new();
    for device in devices {
        running.spawn(live_or_fail(factory.clone(), device));
    }
    let all_ended = async {
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                resume_unwind(error.into_panic());
            }
        }
    };
    tokio::select! {
        () = all_ended => {}
        () = shutdown => {}
    }
}

async fn live_or_fail(factory: FactoryFlash, device: FleetDevice) {
    let (dir, view) = (device.options.dir.clone(), device.options.view.clone());
    if let Err(error) = live(factory, device).await {
        let why = with_causes(&error);
        tracing::error!("{} cannot go on: {why}", dir.display());
        view.failed(why);
    }
}

/// A device's life: with power and without.
async fn live(factory: FactoryFlash, device: FleetDevice) -> Result<(), SimError> {
    let FleetDevice { options, presence, power_cuts_per_hour } = device;
    let identity = Identity::read(&options.dir)?;
    let in_file = |source| SimError::File { path: options.flash.clone(), source };
    let flash = factory.open(&options.flash).map_err(in_file)?;
    drop(factory);
    let chance = options.faults.chance.clone();
    let shift = presence.shift(&chance);
    let mut had_power = None;
    loop {
        let plan = match presence.next(had_power, of_day(shift), &chance) {
            Turn::Off(time) => {
                had_power = Some(false);
                tokio::time::sleep(time).await;
                continue;
            }
            Turn::On(time) => time,
        };
        had_power = Some(true);
        let until = plan.map(|time| tokio::time::Instant::now() + time);
        // A device that was cut off goes on with the same turn.
        while until.is_none_or(|until| tokio::time::Instant::now() < until) {
            let cut = (power_cuts_per_hour > 0).then(|| chance.wait(HOUR / power_cuts_per_hour));
            let planned = until.map(|until| until - tokio::time::Instant::now());
            let is_cut = cut.is_some_and(|cut| planned.is_none_or(|planned| cut < planned));
            let life = [cut, planned].into_iter().flatten().min();
            with_power(&options, &identity, &flash, life).await?;
            options.view.lost_power(is_cut);
            if is_cut {
                tokio::time::sleep(chance.about(CUT_LASTS)).await;
            }
        }
    }
}

/// Runs from power-on until power goes: within an operation of flash, if one comes soon.
async fn with_power(
    options: &SimOptions,
    identity: &Identity,
    flash: &FileFlash,
    life: Option<Duration>,
) -> Result<(), SimError> {
    flash.restore_power();
    let power = async {
        match life {
            Some(life) => tokio::time::sleep(life).await,
            None => std::future::pending().await,
        }
        flash.cut_power(options.faults.chance.draw());
        tokio::time::sleep(CUT_WITHIN).await;
    };
    tokio::select! {
        ended = run_for_ever(options, identity, flash.clone()) => {
            // Whatever went wrong without power is no fault of the device.
            if flash.check_power().is_ok() { ended } else { Ok(()) }
        }
        () = power => Ok(()),
    }
}

/// The moment of the day in UTC, so much earlier.
fn of_day(shift: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(now.saturating_sub(shift).as_secs() % 86_400)
}
