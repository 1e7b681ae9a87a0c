//! What the check of a release costs a device: instructions, bytes on the wire, bytes of code.
//!
//! Instructions are counted by callgrind on this machine, as a stand-in for the chip: the same code
//! with 32-bit arithmetic and no vectors. They are the difference of eleven checks and one, so that
//! starting up does not count.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};
use otaru_release::{Chip, ImageBuilder, Manifest, Order, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName};
use tempfile::TempDir;

use crate::figure::Figure;

const NONCE: [u8; 16] = [7; 16];
/// The image of the target: 1.5 MiB.
const IMAGE_BYTES: usize = 1_572_864;
const CHIP: &str = "riscv32imc-unknown-none-elf";

/// The documents of one release, in files.
struct Set {
    folder: TempDir,
    root_key: String,
    sizes: [usize; 3],
}

/// Measures and prints.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn measure() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier");
    let set = documents()?;
    let [root, manifest, order] = set.sizes;
    println!("root {root} bytes, manifest {manifest} bytes, order {order} bytes");
    let ed25519 = code_bytes(&project, false)?;
    let both = code_bytes(&project, true)?;
    println!("code for {CHIP}: {ed25519} bytes with Ed25519, {both} bytes with P-256 as well");
    let instructions = instructions(&project, &set)?;
    println!("instructions by callgrind on this machine, 32-bit arithmetic, no vectors");
    let sum = (root + manifest + order) as f64;
    println!("{}", Figure::at_most("root_manifest_order_bytes", sum, 2048.0, "bytes"));
    println!("{}", Figure::at_most("verifier_code_bytes", ed25519 as f64, 20_480.0, "bytes"));
    println!("release_check_instructions {instructions}");
    Ok(())
}

fn documents() -> Result<Set> {
    let keys = [1, 2, 3].map(|number| SecretKey::from_seed(&[number; 32]));
    let [root_key, release_key, server_key] = &keys;
    let first = RootDocument::first(root_key.public_key(), release_key.public_key());
    let root = RootDocument { server_key: Some(server_key.public_key()), ..first };
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(IMAGE_BYTES).build();
    let (product, version) = (ProductName::new("clock")?, ReleaseVersion::new("1.0.5")?);
    let manifest = Manifest::for_image(&image, product.clone(), version.clone(), 7)?;
    let order = Order {
        thing: ThingName::new("clock-01")?,
        product,
        version,
        sha256: Digest::of(&image),
        nonce: NONCE,
        update: None,
        issued_at: 1_795_430_400,
        expires_at: 1_795_434_000,
        is_downgrade: false,
    };
    let signed = [root.sign(root_key), manifest.sign(release_key), order.sign(server_key)];
    let folder = TempDir::with_prefix("otaru-trust-")?;
    for (name, bytes) in ["root", "manifest", "order"].iter().zip(&signed) {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    let root_key = hex(&root_key.public_key().to_bytes());
    Ok(Set { folder, root_key, sizes: signed.map(|bytes| bytes.len()) })
}

/// Bytes of flash that the check takes: code and constants.
fn code_bytes(project: &Path, with_p256: bool) -> Result<u64> {
    let mut build = cargo(project);
    build.args(["--target", CHIP, "--bin", "device"]);
    if with_p256 {
        build.args(["--features", "p256"]);
    }
    run(&mut build).with_context(|| format!("is the target there? `rustup target add {CHIP}`"))?;
    let binary = target(project).join(CHIP).join("release/device");
    let listed = run(Command::new("size").arg(&binary))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = listed.lines().nth(1).context("size printed no sizes")?;
    let mut numbers = line.split_whitespace().map_while(|number| number.parse::<u64>().ok());
    let (text, data) = (numbers.next().context("no text")?, numbers.next().context("no data")?);
    Ok(text + data)
}

fn instructions(project: &Path, set: &Set) -> Result<u64> {
    run(cargo(project).args(["--bin", "host"]))?;
    let count = |checks: u32| -> Result<u64> {
        let file = |name: &str| set.folder.path().join(name);
        let out = format!("--callgrind-out-file={}", file("callgrind").display());
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", &out]).arg(target(project).join("release/host"));
        valgrind.args([&checks.to_string(), &set.root_key, &hex(&NONCE)]);
        valgrind.args(["root", "manifest", "order"].map(file));
        let said = run(&mut valgrind)?.stderr;
        let said = String::from_utf8_lossy(&said).into_owned();
        let (_, number) = said.split_once("Collected : ").context("callgrind counted nothing")?;
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    };
    let (once, eleven) = (count(1)?, count(11)?);
    ensure!(eleven > once, "eleven checks took fewer instructions than one");
    Ok((eleven - once) / 10)
}

/// Its own folder: other flags would throw everything else out.
fn target(project: &Path) -> PathBuf {
    project.join("../../target/verifier")
}

fn cargo(project: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(project).args(["build", "--locked", "--release", "--quiet"]);
    cargo.arg("--target-dir").arg(target(project));
    cargo
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
