//! The board `virt` for whoever has no rig of his own: `otaru demo --board virt` runs it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail, ensure};
use otaru_board_rig::factory::{Flash, Release, read_only_bank};
use otaru_board_rig::server::identity_of;
use otaru_board_rig::{firmware, qemu};
use otaru_board_virt::head::Flaw;
use otaru_release::{Manifest, PublicKey};
use otaru_slots::Slot;

const USAGE: &str = "virt image VERSION good|bad FILE
    writes the application as an image of this version; a bad one fails its self-test
virt run FLASH FOLDER IMAGE MANIFEST ROOT ROOT-KEY
    runs a board in QEMU, with what `otaru device add` wrote to FOLDER; where there is no file
    FLASH, the board leaves the factory with IMAGE first";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["image", version, "good", file] => write_image(version, None, file),
        ["image", version, "bad", file] => write_image(version, Some(Flaw::FailsSelfTest), file),
        ["run", flash, folder, image, manifest, root, root_key] => {
            let made = Made { image, manifest, root, root_key };
            run(Path::new(flash), Path::new(folder), &made)
        }
        _ => bail!("{USAGE}"),
    }
}

fn write_image(version: &str, flaw: Option<Flaw>, file: &str) -> Result<()> {
    read(file, std::fs::write(file, firmware::flawed_application(version, flaw)?))
}

/// Files of a factory.
struct Made<'a> {
    image: &'a str,
    manifest: &'a str,
    root: &'a str,
    root_key: &'a str,
}

fn run(flash: &Path, folder: &Path, made: &Made<'_>) -> Result<()> {
    let manifest = read(made.manifest, std::fs::read(made.manifest))?;
    let mut chip = match std::fs::read(flash) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let image = read(made.image, std::fs::read(made.image))?;
            let roots = vec![read(made.root, std::fs::read(made.root))?];
            let mut chip = Flash::new()?;
            let manifest = manifest.clone();
            chip.install(Slot::Ota0, &Release { image, roots, manifest })?;
            chip
        }
        bank => {
            let bank = bank.with_context(|| flash.display().to_string())?;
            ensure!(bank.len() == otaru_board_rig::factory::BANK_BYTES, "{flash:?} is no bank");
            Flash::of_bank(&bank)
        }
    };
    chip.identify(&identity_of(folder, None)?)?;
    write_private(flash, &chip.into_bank())?;
    let key = read(made.root_key, std::fs::read_to_string(made.root_key))?;
    let key = PublicKey::from_file(&key).map_err(|error| anyhow!("{}: {error}", made.root_key))?;
    let product = Manifest::read_trusted(&manifest)?.product;
    let boot: PathBuf = flash.with_extension("boot");
    std::fs::write(&boot, read_only_bank(&firmware::bootloader()?, key, product.as_str()))?;
    // In place of this program: who ends the one ends the other.
    Err(qemu::command(&boot, flash).stdin(Stdio::null()).exec())
        .context("could not run qemu-system-riscv32: `make boards` installs it")
}

/// For its owner's eyes: the device's key is in it.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(bytes));
    written.with_context(|| path.display().to_string())
}

fn read<T>(name: &str, done: std::io::Result<T>) -> Result<T> {
    done.with_context(|| name.to_owned())
}
