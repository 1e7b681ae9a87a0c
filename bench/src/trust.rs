//! What the check of a release costs a device: instructions, bytes on the wire, bytes of code.
//!
//! Instructions are counted by callgrind on this machine, as a stand-in for the chip: the same code
//! with 32-bit digits and no vectors. They are the difference of eleven checks and one, so that
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

/// What counts as code: flash that is read while it runs. Unwind tables are in no chip's linker
/// script, as nothing unwinds there.
const SECTIONS: [&str; 4] = [".text", ".rodata", ".data", ".sdata"];

/// The documents of one release, in files.
struct Set {
    folder: TempDir,
    root_key: String,
    sizes: [usize; 3],
}

/// The verifier with the algorithms that a device may be built with.
struct Build {
    name: &'static str,
    features: &'static str,
}

const ED25519: Build = Build { name: "ed25519", features: "ed25519" };
const P256: Build = Build { name: "p256", features: "p256" };
const BOTH: Build = Build { name: "both", features: "ed25519,p256" };

/// Measures and prints.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn measure() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier");
    let ed25519 = documents([1, 2, 3].map(|number| SecretKey::from_seed(&[number; 32])))?;
    let p256 = [1, 2, 3].map(|number| SecretKey::from_p256_scalar(&[number; 32]));
    let [root, release, server] = p256;
    let p256 = documents([root?, release?, server?])?;
    let [root, manifest, order] = ed25519.sizes;
    println!("with Ed25519: root {root} bytes, manifest {manifest} bytes, order {order} bytes");
    let [p256_root, p256_manifest, p256_order] = p256.sizes;
    println!("with P-256: {p256_root}, {p256_manifest}, {p256_order} bytes");
    println!("code for {CHIP}, opt-level z");
    for build in [ED25519, P256] {
        println!("verifier_code_bytes_{} {}", build.name, code_bytes(&project, &build)?);
    }
    let both = code_bytes(&project, &BOTH)?;
    run(cargo(&project).args(["--bin", "host", "--features", BOTH.features]))?;
    println!("instructions by callgrind on this machine, 32-bit digits, no vectors");
    for (build, set) in [(ED25519, &ed25519), (P256, &p256)] {
        println!("release_check_instructions_{} {}", build.name, instructions(&project, set)?);
    }
    let sum = (root + manifest + order) as f64;
    println!("{}", Figure::at_most("root_manifest_order_bytes", sum, 2048.0, "bytes"));
    println!("{}", Figure::at_most("verifier_code_bytes", both as f64, 20_480.0, "bytes"));
    Ok(())
}

fn documents(keys: [SecretKey; 3]) -> Result<Set> {
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
fn code_bytes(project: &Path, verifier: &Build) -> Result<u64> {
    let mut build = cargo(project);
    build.args(["--target", CHIP, "--bin", "device", "--features", verifier.features]);
    run(&mut build).with_context(|| format!("is the target there? `rustup target add {CHIP}`"))?;
    let binary = target(project).join(CHIP).join("release/device");
    let listed = run(Command::new("size").arg("-A").arg(&binary))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut bytes = 0;
    for line in listed.lines() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|section| SECTIONS.contains(&section)) {
            bytes += words.next().context("a section without a size")?.parse::<u64>()?;
        }
    }
    ensure!(bytes > 0, "size listed none of {SECTIONS:?}");
    Ok(bytes)
}

fn instructions(project: &Path, set: &Set) -> Result<u64> {
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
