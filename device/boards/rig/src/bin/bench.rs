//! Measures the board against its targets: `make bench-boards`.
#![expect(clippy::print_stdout, reason = "it is a table for people")]

use anyhow::{Context, Result, ensure};
use otaru_board_rig::qemu::Qemu;
use otaru_board_rig::site::{FACTORY_VERSION, Site};
use otaru_board_rig::{elf, firmware};
use serde_json::Value;

const THING: &str = "clock-01";
const CHECKED_BYTES: usize = 512 * 1024;
const DOWNLOADED_BYTES: usize = 1024 * 1024;
const KIB: u64 = 1024;

fn number(line: &Value, name: &str) -> Result<u64> {
    line[name].as_u64().with_context(|| format!("{line} has no {name}"))
}

fn main() -> Result<()> {
    let site = Site::without_patches()?;
    let board = site.board(THING)?;
    let mut qemu = board.start()?;
    let connected = qemu.until("BROKER_CONNECTED")?;
    let alone = Memory::told(&mut qemu)?;
    site.server.until_it_runs(THING, FACTORY_VERSION)?;

    let downloaded = update(&site, &mut qemu, "1.0.5", DOWNLOADED_BYTES)?;
    let both = downloaded.memory;
    let checked = update(&site, &mut qemu, "1.0.6", CHECKED_BYTES)?;

    println!("target                                              measured       limit");
    let mut missed = 0;
    let mut row = |what: &str, measured: u64, limit: u64, unit: &str| {
        let word = if measured <= limit { "met" } else { "MISSED" };
        missed += usize::from(measured > limit);
        println!("  {what:44}{measured:10} {unit:4}{limit:8}  {word}");
    };
    row("RAM beyond the network driver, one connection", alone.used()?, 96 * KIB, "B");
    row("1 MiB over HTTPS into flash", downloaded.download_ms, 6000, "ms");
    row("power on to MQTT connected", number(&connected, "uptime_ms")?, 1500, "ms");
    row("bootloader's check of 512 KiB", checked.check_us, 150_000, "us");
    println!("memory in bytes                     one connection   while downloading");
    for (what, of) in [
        ("static", Memory::static_bytes as fn(&Memory) -> Result<u64>),
        ("heap, at its peak", |memory| Ok(memory.heap)),
        ("stack, at its peak", |memory| Ok(memory.stack)),
        ("of these the network driver", |memory| Ok(memory.driver)),
        ("the rest", Memory::used),
    ] {
        println!("  {what:30}{:18}{:20}", of(&alone)?, of(&both)?);
    }
    ensure!(missed == 0, "{missed} targets were missed");
    Ok(())
}

/// How an update went.
struct Updated {
    download_ms: u64,
    check_us: u64,
    memory: Memory,
}

fn update(site: &Site, qemu: &mut Qemu, version: &str, bytes: usize) -> Result<Updated> {
    site.server.publish(version, &firmware::padded_application(version, bytes)?)?;
    site.server.run(&["update", "start", THING, version])?;
    let begun = number(&qemu.until("OTA_DOWNLOADING")?, "uptime_ms")?;
    let ended = number(&qemu.until("OTA_RECEIVED")?, "uptime_ms")?;
    let memory = Memory::told(qemu)?;
    let started = qemu.until("STARTED")?;
    ensure!(started["version"] == version, "{started}");
    site.server.until_it_runs(THING, version)?;
    let (download_ms, check_us) = (ended - begun, number(&started, "check_us")?);
    Ok(Updated { download_ms, check_us, memory })
}

/// What the application says of its memory, in bytes.
struct Memory {
    heap: u64,
    heap_room: u64,
    stack: u64,
    driver: u64,
}

impl Memory {
    fn told(qemu: &mut Qemu) -> Result<Memory> {
        let line = qemu.until("MEMORY")?;
        Ok(Memory {
            heap: number(&line, "heap_peak_bytes")?,
            heap_room: number(&line, "heap_bytes")?,
            stack: number(&line, "stack_peak_bytes")?,
            driver: number(&line, "driver_bytes")?,
        })
    }

    /// Variables, but for the room that the heap is in.
    fn static_bytes(&self) -> Result<u64> {
        let names = [".data", ".bss", ".uninit"];
        Ok(elf::section_bytes(&firmware::linked("app")?, &names)? as u64 - self.heap_room)
    }

    /// What would be in use without the network driver.
    fn used(&self) -> Result<u64> {
        Ok(self.static_bytes()? + self.heap + self.stack - self.driver)
    }
}
