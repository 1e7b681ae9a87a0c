//! What the check of a release costs a device: instructions, bytes on the wire, bytes of code.
//!
//! Instructions are counted by callgrind on this machine, as a stand-in for the chip: the same code
//! with 32-bit digits and no vectors. They are the difference of eleven checks and one, so that
//! starting up does not count.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use otaru_release::{Chip, ImageBuilder, Manifest, Order, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName};
use tempfile::TempDir;

use crate::chip::{CHIP, Project, hex, run, sizes};
use crate::figure::Figure;

const NONCE: [u8; 16] = [7; 16];
/// The image of the target: 1.5 MiB.
const IMAGE_BYTES: usize = 1_572_864;

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
    let project = Project::new("verifier");
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
        let device = project.build("device", build.features, Some(CHIP))?;
        println!("verifier_code_bytes_{} {}", build.name, sizes(&device)?.code);
    }
    let both = sizes(&project.build("device", BOTH.features, Some(CHIP))?)?.code;
    let host = project.build("host", BOTH.features, None)?;
    println!("instructions by callgrind on this machine, 32-bit digits, no vectors");
    for (build, set) in [(ED25519, &ed25519), (P256, &p256)] {
        println!("release_check_instructions_{} {}", build.name, instructions(&host, set)?);
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

fn instructions(host: &Path, set: &Set) -> Result<u64> {
    let count = |checks: u32| -> Result<u64> {
        let file = |name: &str| set.folder.path().join(name);
        let out = format!("--callgrind-out-file={}", file("callgrind").display());
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", &out]).arg(host);
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
