//! What a board leaves the factory with, in one file: bootloader, partition table, firmware, identity.

mod bootloader;
mod identity;
mod partitions;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use otaru_release::{Image, ImageFacts};
use otaru_slots::table::{TABLE_BYTES, TABLE_OFFSET};
use otaru_slots::{Layout, Region};
use serde_json::json;

use self::partitions::Partitions;
use crate::commands::Context;
use crate::{keys, units};

/// Where who the device is belongs.
const IDENTITY: &str = "identity";

#[derive(Args, Debug)]
pub struct FlashImage {
    /// The folder that `device add` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Firmware for the first slot: an ESP-IDF image, such as `make esp32` makes
    #[arg(long, value_name = "FILE", required_unless_present = "identity_only")]
    app: Option<PathBuf>,
    /// Second-stage bootloader of the chip, as ESP-IDF builds it and espflash brings it
    #[arg(long, value_name = "FILE", required_unless_present = "identity_only")]
    bootloader: Option<PathBuf>,
    /// Only what the partition `identity` holds: for a device that keeps its firmware, and gets
    /// another certificate or network
    #[arg(long, conflicts_with_all = ["app", "bootloader"])]
    identity_only: bool,
    /// Partition table, as ESP-IDF has them in text
    #[arg(long, value_name = "FILE")]
    partitions: PathBuf,
    /// Size of the flash, such as 4M
    #[arg(long, value_parser = units::size_bytes, default_value = "4M")]
    flash: u64,
    /// Wi-Fi network that the device joins
    #[arg(long, value_name = "NAME", required_unless_present = "no_wifi")]
    wifi: Option<String>,
    /// The device has another network; firmware of ours for ESP32 does not start without Wi-Fi
    #[arg(long, conflicts_with = "wifi")]
    no_wifi: bool,
    /// File with the network's password in its first line; without it the network is open
    #[arg(long, value_name = "FILE", requires = "wifi")]
    wifi_password: Option<PathBuf>,
    /// Where the image goes; it holds the device's private key
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl FlashImage {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<()> {
        let wifi = self.wifi()?;
        let device = identity::Device::read(&self.folder)?;
        let identity =
            device.identity(wifi.as_ref().map(|(name, password)| (&name[..], &password[..])))?;
        let table = String::from_utf8(read(&self.partitions)?);
        let table = table.with_context(|| format!("{} is no text", self.partitions.display()))?;
        let partitions =
            Partitions::parse(&table).with_context(|| format!("{}", self.partitions.display()))?;
        let (Some(app), Some(bootloader)) = (&self.app, &self.bootloader) else {
            return self.write_identity(context, &device.thing, &partitions, identity);
        };
        let flash_bytes = u32::try_from(self.flash).context("no chip has so much flash")?;
        let app_bytes = read(app)?;
        let facts = Image::parse(&app_bytes).with_context(|| format!("{}", app.display()))?;
        ensure!(
            facts.chip.name() == device.chip,
            "{} is for {}, and the device has {}",
            app.display(),
            facts.chip.name(),
            device.chip
        );
        let boot = bootloader::for_flash(&read(bootloader)?, facts.chip, flash_bytes)
            .with_context(|| format!("{}", bootloader.display()))?;
        let parts = Parts { boot: &boot, facts: &facts, app: &app_bytes, identity: &identity };
        let image = merge(&partitions, flash_bytes, &parts)?;
        keys::write_new(&self.out, &image, 0o600)?;
        self.print(context, &device.thing, &facts, image.len())
    }

    /// The partition as a whole, so that nothing of what stood there before is left.
    fn write_identity(
        &self,
        context: &Context<'_>,
        thing: &str,
        partitions: &Partitions,
        mut identity: Vec<u8>,
    ) -> Result<()> {
        let place = partitions.find(IDENTITY)?;
        ensure!(
            identity.len() <= place.size as usize,
            "the identity has {} bytes, and there is room for {}",
            identity.len(),
            place.size
        );
        identity.resize(place.size as usize, 0xFF);
        keys::write_new(&self.out, &identity, 0o600)?;
        let (at, out) = (format!("{:#x}", place.offset), self.out.display().to_string());
        let object =
            json!({ "thing": thing, "offset": place.offset, "bytes": place.size, "file": out });
        let bytes = place.size.to_string();
        let lines = [("thing", thing.to_owned()), ("offset", at), ("bytes", bytes), ("file", out)];
        Ok(context.printer.object(&object, &lines)?)
    }

    fn wifi(&self) -> Result<Option<(String, String)>> {
        let Some(name) = self.wifi.clone() else { return Ok(None) };
        ensure!((1..=32).contains(&name.len()), "a Wi-Fi name has 1 to 32 bytes");
        let Some(path) = &self.wifi_password else { return Ok(Some((name, String::new()))) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        let password = text.lines().next().unwrap_or_default().to_owned();
        ensure!((8..=63).contains(&password.len()), "a Wi-Fi password has 8 to 63 bytes");
        Ok(Some((name, password)))
    }

    fn print(
        &self,
        context: &Context<'_>,
        thing: &str,
        facts: &ImageFacts,
        bytes: usize,
    ) -> Result<()> {
        let version = facts.descriptor.as_ref().map(|found| found.version.clone());
        let out = self.out.display().to_string();
        let object = json!({
            "thing": thing, "chip": facts.chip.name(), "version": version, "bytes": bytes,
            "sha256": facts.sha256.to_string(), "file": out,
        });
        let lines = [
            ("thing", thing.to_owned()),
            ("chip", facts.chip.name().to_owned()),
            ("version", crate::output::or_dash(version.as_deref())),
            ("bytes", bytes.to_string()),
            ("file", out),
        ];
        Ok(context.printer.object(&object, &lines)?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

/// What is put together.
struct Parts<'a> {
    boot: &'a [u8],
    facts: &'a ImageFacts,
    app: &'a [u8],
    identity: &'a [u8],
}

/// Everything at its place. What nobody writes is as a blank chip has it: the selector names no
/// slot, so that the first one starts, and the agent finds no records.
fn merge(partitions: &Partitions, flash_bytes: u32, parts: &Parts<'_>) -> Result<Vec<u8>> {
    let table = partitions.build()?;
    let layout = Layout::find(&partitions.table(&table)?, flash_bytes)
        .context("the partition table is not one that updates work with")?;
    partitions.check_readable()?;
    let identity_at = partitions.find(IDENTITY)?;
    let boot_at = bootloader::offset(parts.facts.chip);
    let mut image = vec![0xFF; flash_bytes as usize];
    let mut put = |what: &str, room: Region, bytes: &[u8]| -> Result<()> {
        if bytes.len() > room.size as usize {
            bail!("{what} has {} bytes, and there is room for {}", bytes.len(), room.size);
        }
        let place =
            image.get_mut(room.offset as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
        place
            .with_context(|| format!("{what} is behind the end of the flash"))?
            .copy_from_slice(bytes);
        Ok(())
    };
    put("the bootloader", Region::new(boot_at, TABLE_OFFSET - boot_at), parts.boot)?;
    put("the partition table", Region::new(TABLE_OFFSET, TABLE_BYTES as u32), &table)?;
    put("the identity", identity_at, parts.identity)?;
    put("the firmware", layout.slots[0], parts.app)?;
    Ok(image)
}

#[cfg(test)]
mod tests;
