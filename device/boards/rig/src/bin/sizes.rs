//! What the firmware weighs: `make boards` ends with it.
#![expect(clippy::print_stdout, reason = "it is a table for people")]

use anyhow::Result;
use otaru_board_rig::{elf, firmware};
use otaru_board_virt::BOOT_BYTES_MAX;

/// What the linker scripts allow.
const RAM_BYTES_MAX: usize = 400 * 1024;
const SLOT_BYTES: usize = 0x1E_0000;

fn main() -> Result<()> {
    let ram =
        |name: &str| elf::section_bytes(&firmware::linked(name)?, &[".data", ".bss", ".uninit"]);
    let stack = |name: &str| elf::section_bytes(&firmware::linked(name)?, &[".stack"]);
    println!("virt                code      of    static RAM    stack       of");
    for (name, code, most) in [
        ("bootloader", firmware::bootloader()?.len(), BOOT_BYTES_MAX),
        ("application", firmware::application("0")?.len(), SLOT_BYTES),
    ] {
        let program = if name == "bootloader" { "boot" } else { "app" };
        let (ram, stack) = (ram(program)?, stack(program)?);
        println!("  {name:12}{code:10}{most:8}{ram:14}{stack:9}{RAM_BYTES_MAX:9}");
    }
    Ok(())
}
