//! Real firmware in place of simulated devices: a board that QEMU runs.
//!
//! Firmware is built in a workspace of its own. Here are only the calls of the program that
//! belongs to it, which makes images and becomes QEMU.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{
    commands::path,
    processes::Process,
    story::{OLD, PRODUCT, Story},
};

/// Where `make boards` leaves it, from the root of the sources.
const PROGRAM: &str = "device/boards/target/debug/virt";

/// Boards that can be run on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BoardName {
    /// The board of that name in QEMU, RISC-V.
    Virt,
}

/// A board, and the program that runs it.
#[derive(Clone)]
pub(crate) struct Board {
    pub(crate) name: BoardName,
    program: PathBuf,
}

impl Board {
    /// Looks for the program: below this folder, or where this program was built.
    pub(crate) fn find(name: BoardName) -> anyhow::Result<Board> {
        let built = std::env::current_exe()?;
        let sources = built.ancestors().nth(3).map(Path::to_owned);
        let places: Vec<PathBuf> = match std::env::var_os("OTARU_BOARD_PROGRAM") {
            Some(program) => vec![program.into()],
            None => std::iter::once(PathBuf::new())
                .chain(sources)
                .map(|place| place.join(PROGRAM))
                .collect(),
        };
        match places.iter().find(|place| place.is_file()) {
            Some(program) => Ok(Board { name, program: program.canonicalize()? }),
            None => bail!(
                "there is no {}: run `make boards` in the sources first, or name the program in \
                 OTARU_BOARD_PROGRAM",
                places[0].display()
            ),
        }
    }

    /// Chip of the product, and how its images are read.
    pub(crate) const PRODUCT: [&'static str; 6] =
        ["--chip", "virt", "--images", "raw", "--flash", "4M"];

    /// What an image is published and signed as.
    pub(crate) const RAW: [&'static str; 2] = ["--raw", "virt"];

    /// This machine, as a board in QEMU sees it.
    pub(crate) const HOST: &'static str = "10.0.2.2";

    /// Writes an image of this version; a bad one fails its self-test.
    pub(crate) async fn make_image(
        &self,
        version: &str,
        is_bad: bool,
        file: &Path,
    ) -> anyhow::Result<()> {
        let kind = if is_bad { "bad" } else { "good" };
        let mut command = Command::new(&self.program);
        let output = command.args(["image", version, kind, path(file)?]).output().await;
        let output = output.with_context(|| self.program.display().to_string())?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

impl Story {
    /// A board checks what it starts: the first firmware needs a manifest, too.
    pub(super) async fn sign_for_factory(&self) -> anyhow::Result<()> {
        let (image, signed) = (self.image(OLD), self.factory_manifest());
        let key = self.folder.join("keys/release.key");
        let sign = ["release", "sign", path(&image)?, "--product", PRODUCT, "--version", OLD];
        let how = ["--sequence", "1", "--key", path(&key)?, "--out", path(&signed)?];
        self.run(&[&sign[..], &Board::RAW, &how].concat()).await?;
        Ok(())
    }

    fn factory_manifest(&self) -> PathBuf {
        self.folder.join(format!("images/{PRODUCT}-{OLD}.manifest"))
    }

    /// A device that leaves the factory with the old firmware, unless it is in use already.
    pub(super) fn start_board(
        &self,
        board: &Board,
        thing: &str,
        files: &Path,
        flash: &Path,
    ) -> anyhow::Result<Process> {
        let (image, manifest) = (self.image(OLD), self.factory_manifest());
        let keys = self.folder.join("keys");
        let (root, key) = (keys.join("root.cbor"), keys.join("root.pub"));
        let mut words = vec!["run"];
        for file in [flash, files, &image, &manifest, &root, &key] {
            words.push(path(file)?);
        }
        Process::start_program(&board.program, thing, &self.folder, &words)
    }
}
