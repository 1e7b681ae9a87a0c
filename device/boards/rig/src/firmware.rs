//! The firmware that `make boards` built, and images of it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use otaru_board_virt::BOOT_BYTES_MAX;
use otaru_board_virt::head::{self, Flaw};

use crate::elf::{self, Program};
use crate::seed::Seed;

const TARGET: &str = "riscv32imac-unknown-none-elf";
const IMAGE_BASE: u32 = 0x8040_0000;
const BANK_BASE: u32 = 0x2000_0000;

/// A program of `otaru-board-virt`, as it was linked: `boot` or `app`.
pub fn linked(name: &str) -> Result<Vec<u8>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"))
        .join(TARGET)
        .join("release")
        .join(name);
    std::fs::read(&target)
        .with_context(|| format!("could not read {}: run `make boards` first", target.display()))
}

fn program(name: &str) -> Result<Program> {
    elf::flatten(&linked(name)?).with_context(|| name.to_owned())
}

/// The bootloader, as it is in the read-only bank.
pub fn bootloader() -> Result<Vec<u8>> {
    let Program { base, bytes } = program("boot")?;
    ensure!(base == BANK_BASE, "the bootloader begins at {base:#x}");
    ensure!(bytes.len() <= BOOT_BYTES_MAX, "the bootloader has {} bytes", bytes.len());
    Ok(bytes)
}

/// The application as an image of this version.
pub fn application(version: &str) -> Result<Vec<u8>> {
    flawed_application(version, None)
}

/// The same, made this long by noise that nothing packs.
pub fn padded_application(version: &str, bytes: usize) -> Result<Vec<u8>> {
    let mut image = application(version)?;
    let mut noise = Seed::new(version.bytes().map(u64::from).sum());
    while image.len() < bytes {
        image.push(noise.below(256) as u8);
    }
    Ok(image)
}

/// The same with something wrong.
pub fn flawed_application(version: &str, flaw: Option<Flaw>) -> Result<Vec<u8>> {
    let Program { base, mut bytes } = program("app")?;
    ensure!(base == IMAGE_BASE, "the application begins at {base:#x}");
    head::name_image(&mut bytes, version, flaw)
        .context("the application has no head for a version")?;
    Ok(bytes)
}
