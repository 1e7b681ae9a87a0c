//! A project that is built for a microcontroller, and how many bytes of one it takes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

/// An ESP32-C3 and its like.
pub(crate) const CHIP: &str = "riscv32imc-unknown-none-elf";

/// What counts as code: flash that is read while it runs. Unwind tables are in no chip's linker
/// script, as nothing unwinds there.
const CODE: [&str; 4] = [".text", ".rodata", ".data", ".sdata"];
/// What counts as memory that is taken from the first instruction to the last.
const STATIC: [&str; 4] = [".data", ".sdata", ".bss", ".sbss"];

/// A workspace of its own below `bench`.
pub(crate) struct Project {
    folder: PathBuf,
    target: PathBuf,
}

/// Bytes of one program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Code and constants.
    pub(crate) code: u64,
    /// Memory that is not on heap or stack.
    pub(crate) fixed: u64,
}

impl Project {
    /// The project in that folder, with a target folder of its own: other flags would throw
    /// everything else out.
    pub(crate) fn new(folder: &str) -> Project {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        Project {
            folder: bench.join(folder),
            target: bench.join("../target").join(format!("bench-{folder}")),
        }
    }

    /// Builds one of its programs and answers where it is.
    pub(crate) fn build(
        &self,
        program: &str,
        features: &str,
        target: Option<&str>,
    ) -> Result<PathBuf> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.folder).args(["build", "--locked", "--release", "--quiet"]);
        cargo.arg("--target-dir").arg(&self.target);
        cargo.args(["--bin", program, "--features", features]);
        // Somebody else's flags would replace those of the project.
        cargo.env_remove("RUSTFLAGS");
        let mut built = self.target.clone();
        if let Some(target) = target {
            cargo.args(["--target", target]);
            built.push(target);
        }
        run(&mut cargo).with_context(|| match target {
            Some(target) => format!("is the target there? `rustup target add {target}`"),
            None => format!("{program} could not be built"),
        })?;
        Ok(built.join("release").join(program))
    }
}

/// How many bytes of the chip a program takes.
pub(crate) fn sizes(program: &Path) -> Result<Sizes> {
    let listed = run(Command::new("size").arg("-A").arg(program))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut sizes = Sizes { code: 0, fixed: 0 };
    for line in listed.lines() {
        let mut words = line.split_whitespace();
        let (Some(section), Some(bytes)) = (words.next(), words.next()) else { continue };
        for (counted, sum) in [(CODE, &mut sizes.code), (STATIC, &mut sizes.fixed)] {
            if counted.contains(&section) {
                *sum += bytes.parse::<u64>().context("a section without a size")?;
            }
        }
    }
    ensure!(sizes.code > 0, "size listed none of {CODE:?}");
    Ok(sizes)
}

/// Runs something to its end.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output)
}

/// Bytes as a command line takes them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
