//! What stands between agent and flash, over a simulated chip.

mod download;
mod patched;

/// The chip whose images are raw bytes.
fn linux() -> otaru_release::Chip {
    "linux".parse().unwrap()
}
