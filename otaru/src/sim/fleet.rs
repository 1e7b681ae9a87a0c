//! `otaru sim --devices`: registers devices once, and runs them all in this process.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use otaru_linux::{
    FactoryFlash, FleetDevice, Presence, make_factory_flash, raise_open_files, run_fleet,
};
use otaru_wire::{ProductName, ThingName};

use super::SimArguments;
use super::summary::{Fleet, Member};
use crate::machine;

/// What every device's flash began as, in the folder of the fleet.
const FACTORY: &str = "factory.flash";
/// What a device changed of it, in its own folder.
const FLASH: &str = "flash.changes";

/// Flags of `otaru sim` that speak of many devices.
#[derive(Args, Clone, Debug)]
pub(crate) struct FleetArguments {
    /// Runs so many devices in one process, sim-0001 and on. Those that have no folder below
    /// --dir yet are registered first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000),
          conflicts_with_all = ["flash", "decision_file"])]
    pub(super) devices: Option<u32>,
    /// Product of devices that are registered.
    #[arg(long, value_name = "NAME", requires = "devices")]
    product: Option<ProductName>,
    /// How often each device's power is cut in an hour, on average, for about two seconds.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "devices")]
    power_cuts_per_hour: u32,
    /// When devices have power: always, evenings (17:00 to 23:00 UTC, each up to two hours
    /// later), flaky (about five minutes on, one off), or ON/OFF such as 10m/30s.
    #[arg(long, value_name = "WHEN", default_value = "always", requires = "devices")]
    presence: Presence,
    /// Prints JSON, one object a line, in place of text.
    #[arg(long, requires = "devices")]
    json: bool,
}

/// Runs the fleet until SIGTERM or Ctrl-C.
pub(super) async fn run(
    arguments: &SimArguments,
    count: u32,
    client: &otaru_cli::Options,
) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    std::fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
    raise_open_files().context("could not raise the limit of open files")?;
    let things: Vec<ThingName> = (1..=count)
        .map(|number| ThingName::new(&format!("sim-{number:04}")))
        .collect::<Result<_, _>>()?;
    register(arguments, client, &things).await?;
    let factory = factory(arguments)?;
    let (devices, members): (Vec<FleetDevice>, Vec<Member>) =
        (1..).zip(&things).map(|(number, thing)| device(arguments, number, thing)).unzip();
    let fleet = Fleet::new(members, arguments.fleet.json);
    tokio::select! {
        () = run_fleet(&factory, devices, machine::asked_to_end()) => {}
        () = fleet.tell() => {}
    }
    fleet.tell_end();
    let failed = fleet.failed();
    ensure!(
        failed.is_empty(),
        "{} of {count} devices could not go on: {}",
        failed.len(),
        failed.join("; ")
    );
    Ok(())
}

async fn register(
    arguments: &SimArguments,
    client: &otaru_cli::Options,
    things: &[ThingName],
) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    if things.iter().all(|thing| dir.join(thing.as_str()).exists()) {
        return Ok(());
    }
    let product = arguments.fleet.product.as_ref();
    let product = product.context("devices that are not registered yet need --product")?;
    otaru_cli::add_devices(client, product, things, dir).await
}

/// The first image matters once: devices go on with what their flash holds, and another one is
/// a mistake.
fn factory(arguments: &SimArguments) -> anyhow::Result<FactoryFlash> {
    let path = arguments.dir.join(FACTORY);
    if !path.exists() {
        let image = arguments.image.as_ref().context("new devices need --image")?;
        make_factory_flash(&path, image)?;
    }
    let could_not_read = |path: &Path| format!("could not read {}", path.display());
    let factory = FactoryFlash::read(&path).with_context(|| could_not_read(&path))?;
    if let Some(image) = &arguments.image {
        let bytes = std::fs::read(image).with_context(|| could_not_read(image))?;
        ensure!(
            factory.holds(&bytes),
            "--image: {} is not what the devices below {} began with: leave it out and they go on \
             with what they run, or begin with it in another --dir",
            image.display(),
            arguments.dir.display()
        );
    }
    Ok(factory)
}

fn device(arguments: &SimArguments, number: u64, thing: &ThingName) -> (FleetDevice, Member) {
    let dir: PathBuf = arguments.dir.join(Path::new(thing.as_str()));
    let flash = dir.join(FLASH);
    let options = arguments.device_options(number, dir, flash);
    let FleetArguments { presence, power_cuts_per_hour, .. } = arguments.fleet;
    let member =
        Member { thing: thing.clone(), view: options.view.clone(), faults: options.faults.clone() };
    (FleetDevice { options, presence, power_cuts_per_hour }, member)
}
