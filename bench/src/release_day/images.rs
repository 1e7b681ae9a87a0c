//! What devices run, and what they get: real firmware in images of their chip.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use otaru_release::{Behaviour, Chip, ImageBuilder};

use crate::chip::run;

/// The version that devices leave the factory with, and the one they take.
pub(super) const VERSIONS: [&str; 2] = ["1.0.4", "1.0.5"];

/// Two releases of one firmware.
pub(super) struct Images {
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
}

impl Images {
    /// Fetches the firmware with what `make bench-delta` fetches, and builds both images.
    pub(super) fn read(folder: &Path) -> Result<Images> {
        let [old, new] = ["old", "new"].map(|name| folder.join(name));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("delta/run.sh");
        run(Command::new(script).arg("joined").arg(&old).arg(&new))?;
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
        };
        let [old_version, new_version] = VERSIONS;
        Ok(Images { old: image(old_version, read(&old)?), new: image(new_version, read(&new)?) })
    }
}

fn image(version: &str, code: Vec<u8>) -> Vec<u8> {
    let builder = ImageBuilder::new(Chip::Esp32C3).project("clock").version(version);
    builder.behaviour(Behaviour::Pass).code(code).build()
}
