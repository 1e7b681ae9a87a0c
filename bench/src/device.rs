//! What the whole agent costs a device: code, memory, wear, and bytes fetched again.
//!
//! `bench/device` is the firmware around the agent. It is built for the chip to be weighed, and for
//! a machine with pointers of the same length to live one good update with its memory counted.
//! Writes, erases and bytes are those of `testing/sim-device`, which lives it in virtual time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use otaru_release::{Chip, ImageBuilder, Manifest, Order, RootDocument, SecretKey};
use otaru_sim_device::models::{Fates, cut_plans, our_device, quiet_plan};
use otaru_sim_device::{Clock, Geometry, Life, Loader, Summary, Unit, Wish, live};
use otaru_slots::{SECTOR_BYTES, Slot};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};
use tempfile::TempDir;

use crate::chip::{CHIP, Project, hex, run, sizes};
use crate::figure::Figure;

/// A machine of the chip's word length that runs here.
const MACHINE: &str = "i686-unknown-linux-musl";
/// The image of the target: 1.5 MiB.
const IMAGE_BYTES: usize = 1_572_864;
const NONCE: [u8; 16] = [7; 16];
const CHUNK_BYTES: f64 = 65_536.0;

/// Measures and prints.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn measure() -> Result<()> {
    let project = Project::new("device");
    println!("code for {CHIP}, opt-level s, fat LTO, panics abort, relaxed and outlined");
    for algorithm in ["ed25519", "p256"] {
        let weighed = sizes(&project.build("chip", algorithm, Some(CHIP))?)?;
        println!("device_code_bytes_{algorithm} {}", weighed.code);
    }
    let weighed = sizes(&project.build("chip", "ed25519,p256", Some(CHIP))?)?;
    println!("memory of one good update of {IMAGE_BYTES} bytes, on {MACHINE}");
    let lived = lived(&project.build("life", "ed25519,p256", Some(MACHINE))?)?;
    for (name, value) in &lived {
        println!("device_{name} {value}");
    }
    let heap = lived.iter().find(|(name, _)| name == "heap_peak_bytes").map(|(_, value)| *value);
    let memory = weighed.fixed as f64 + heap.context("no heap was measured")?;
    println!("wear and network of one good update, by testing/sim-device");
    let good = good_update()?;
    let chunks = good.image_bytes as f64 / CHUNK_BYTES;
    println!("device_image_bytes {}", good.image_bytes);
    println!("device_flash_operations {}", good.summary.operations);
    println!("device_storage_writes {}", good.storage_writes);
    let again = Fates::of(&cut_plans(&our_device(&quiet_plan()).trace), our_device);
    ensure!(again.bricks == 0 && again.lost == 0, "an update was lost: {again:?}");
    println!("device_lives_cut {}", again.lives);
    let figures = [
        Figure::at_most("device_code_bytes", weighed.code as f64, 40_960.0, "bytes"),
        Figure::at_most("device_static_bytes", weighed.fixed as f64, 12_288.0, "bytes"),
        Figure::at_most("device_static_and_heap_bytes", memory, 12_288.0, "bytes"),
        Figure::at_most(
            "device_journal_writes",
            good.summary.journal_writes.into(),
            12.0 + chunks,
            "",
        ),
        Figure::at_most("device_erases_of_a_sector", good.erases_of_a_sector as f64, 1.0, ""),
        Figure::at_most(
            "device_bytes_again_after_a_cut",
            again.again_bytes_max as f64,
            CHUNK_BYTES,
            "bytes",
        ),
    ];
    figures.iter().for_each(|figure| println!("{figure}"));
    Ok(())
}

/// What one good update on the standard chip took.
struct Good {
    summary: Summary,
    image_bytes: usize,
    /// Most erases of one sector of a slot.
    erases_of_a_sector: usize,
    /// Writes into the device's own records, of whatever kind.
    storage_writes: usize,
}

fn good_update() -> Result<Good> {
    let plan = quiet_plan();
    let life = Life {
        seed: 1,
        geometry: Geometry::Standard,
        unit: Unit::Word,
        loader: Loader::EspIdf,
        clock: Clock::Known,
        keeps_logs: false,
        factory: plan.from,
        wishes: vec![Wish { release: plan.to, withdrawn_after_ms: None, lingers_ms: 0 }],
        outages: Vec::new(),
        gusts: Vec::new(),
        patches: false,
        part_bytes: 1460,
        takes_what_comes: false,
        flips: Vec::new(),
        power_cycles: 0,
    };
    let summary = live(&life).map_err(|broken| anyhow::anyhow!("{broken:?}"))?;
    let confirmed = summary.ends.iter().filter(|end| end.outcome == "confirmed").count();
    ensure!(confirmed == 1, "it ended otherwise: {:?}", summary.ends);
    let layout = life.geometry.layout();
    let mut erases = std::collections::BTreeMap::<u32, usize>::new();
    let slots = [Slot::Ota0, Slot::Ota1].map(|slot| layout.slot(slot));
    for operation in summary.trace.iter().filter(|operation| operation.is_erase) {
        if slots.iter().any(|slot| (slot.offset..slot.end()).contains(&operation.offset)) {
            *erases.entry(operation.offset / SECTOR_BYTES).or_default() += 1;
        }
    }
    let is_own = |offset| (layout.otaru.offset..layout.otaru.end()).contains(&offset);
    let own =
        summary.trace.iter().filter(|operation| !operation.is_erase && is_own(operation.offset));
    Ok(Good {
        storage_writes: own.count(),
        erases_of_a_sector: erases.values().copied().max().context("no slot was erased")?,
        image_bytes: otaru_sim_device::catalogue::catalogue().releases[plan.to].image.len(),
        summary,
    })
}

/// One good update with its memory counted: name and value of every figure.
fn lived(life: &Path) -> Result<Vec<(String, f64)>> {
    let [root_key, release_key, server_key] =
        [1, 2, 3].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let first = RootDocument::first(root_key.public_key(), release_key.public_key());
    let root = RootDocument { server_key: Some(server_key.public_key()), ..first };
    let image = |version: &str| {
        ImageBuilder::new(Chip::Esp32C3).size_bytes(IMAGE_BYTES).version(version).build()
    };
    let (factory, image) = (image("1.0.4"), image("1.0.5"));
    let (product, version) = (ProductName::new("clock")?, ReleaseVersion::new("1.0.5")?);
    let manifest = Manifest::for_image(&image, product.clone(), version.clone(), 7)?;
    let order = Order {
        thing: ThingName::new("clock-01")?,
        product,
        version,
        sha256: Digest::of(&image),
        nonce: NONCE,
        update: Some(UpdateId::new("u-1")?),
        issued_at: 1_795_430_400,
        expires_at: 1_795_434_000,
        is_downgrade: false,
    };
    let folder = TempDir::with_prefix("otaru-device-")?;
    for (name, bytes) in [
        ("factory", factory),
        ("image", image),
        ("root", root.sign(&root_key)),
        ("manifest", manifest.sign(&release_key)),
        ("order", order.sign(&server_key)),
    ] {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    let root_key = hex(&root_key.public_key().to_bytes());
    let said = run(Command::new(life).arg(folder.path()).arg(root_key))?;
    let said = String::from_utf8(said.stdout)?;
    let line = |line: &str| {
        let (name, value) = line.split_once(' ').context("a figure without a value")?;
        Ok((name.to_owned(), value.parse()?))
    };
    said.lines().map(line).collect()
}
