//! A release day: a thousand simulated devices take one update at once, by patch and then by
//! full image, while some of their links are cut.
//!
//! Each way has a server of its own with its defaults, and devices of its own in one process
//! beside it. The clock runs from the first Install to the last end; what the server needed is
//! looked at from outside.

mod day;
mod ends;
mod images;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::figure::Figure;
use crate::machine::{allow_open_files, description};
use day::{Day, Way, live};
use images::Images;

const DEVICES: usize = 1_000;
/// Fewer for a quick look: how many.
const DEVICES_VARIABLE: &str = "DEVICES";
/// How many of a hundred links are cut.
const LOSS_PERCENT: u8 = 5;
/// Sockets and flash of each device, and what the server holds for it.
const FILES_EACH: u64 = 8;

/// Measures and prints the figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    ensure!(binary.exists(), "{} is missing: run `make bench-release-day`", binary.display());
    let devices = devices()?;
    allow_open_files(1_000 + devices as u64 * FILES_EACH)?;
    let folder = tempfile::TempDir::with_prefix("otaru-release-day-")?;
    println!("{}", description(folder.path())?);
    let images = Images::read(folder.path())?;
    let (old, new) = (images.old.len(), images.new.len());
    println!("{devices} devices, {LOSS_PERCENT} % of links cut; from {old} bytes to {new} bytes");
    let by_patch = live(binary, devices, &images, Way::Patch).await?;
    let by_image = live(binary, devices, &images, Way::Image).await?;
    println!(
        "| | confirmed | cuts | bytes sent | last confirmed | server's CPU | server's memory |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, day) in [("by patch", &by_patch), ("by full image", &by_image)] {
        println!("| {name} | {} |", row(day));
    }
    println!("{}", all_confirmed("release_day_confirmed_by_patch", &by_patch, devices));
    println!("{}", all_confirmed("release_day_confirmed_by_image", &by_image, devices));
    let share = by_patch.sent_bytes as f64 / by_image.sent_bytes as f64;
    println!("{}", Figure::ratio("release_day_bytes_of_full_images", share, 1.0));
    for day in [by_patch, by_image] {
        day.others.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

fn all_confirmed(name: &str, day: &Day, devices: usize) -> Figure {
    Figure::at_least(name, day.confirmed as f64, devices as f64, "devices")
}

fn row(day: &Day) -> String {
    let Day { confirmed, cuts, sent_bytes, took, cpu, peak_kib, rest_kib, .. } = day;
    let (sent_mb, took_s, cpu_s) =
        (*sent_bytes as f64 / 1e6, took.as_secs_f64(), cpu.as_secs_f64());
    let (peak_mib, rest_mib) = (*peak_kib as f64 / 1024.0, *rest_kib as f64 / 1024.0);
    format!(
        "{confirmed} | {cuts} | {sent_mb:.1} MB | {took_s:.1} s | {cpu_s:.1} s | \
         {peak_mib:.0} MiB, {rest_mib:.0} before"
    )
}

fn devices() -> Result<usize> {
    let Some(text) = std::env::var_os(DEVICES_VARIABLE) else { return Ok(DEVICES) };
    let count = text.to_str().and_then(|text| text.parse().ok()).filter(|count| *count > 0);
    count.with_context(|| format!("{DEVICES_VARIABLE} is {text:?} and no number of devices"))
}
