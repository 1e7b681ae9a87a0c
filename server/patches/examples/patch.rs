//! Makes and applies patches by hand; `make bench-delta` measures it as a process of its own.
//!
//! `make BASE TARGET PATCH [4|8]` and `pack TARGET PATCH [4|8]` (KiB of dictionary), `apply BASE PATCH
//! TARGET`, and `esp BASE TARGET PATCH` for `esp_delta_ota`.

use std::env;
use std::error::Error;
use std::fs;

use otaru_release::patch::Codec;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (out, bytes) = match arguments.as_slice() {
        ["make", base, target, out, rest @ ..] => {
            (out, otaru_patches::make(&fs::read(base)?, &fs::read(target)?, codec(rest)?)?)
        }
        ["pack", target, out, rest @ ..] => {
            (out, otaru_patches::pack(&fs::read(target)?, codec(rest)?)?)
        }
        ["esp", base, target, out] => {
            let (base, target) = (fs::read(base)?, fs::read(target)?);
            let running = base.last_chunk().copied().ok_or("the base is no ESP-IDF image")?;
            (out, otaru_patches::make_for_esp_delta_ota(&base, &running.into(), &target)?)
        }
        ["apply", base, patch, out] => {
            (out, otaru_patches::apply(&fs::read(base)?, &fs::read(patch)?)?)
        }
        _ => return Err("usage: make, pack, apply or esp, and files: see the source".into()),
    };
    fs::write(out, bytes)?;
    // The most memory it had, where the system tells.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| eprintln!("{line}"));
    Ok(())
}

fn codec(rest: &[&str]) -> Result<Codec, Box<dyn Error>> {
    match rest {
        [] | ["4"] => Ok(Codec::Lzma4K),
        ["8"] => Ok(Codec::Lzma8K),
        _ => Err("the dictionary has 4 or 8 KiB".into()),
    }
}
