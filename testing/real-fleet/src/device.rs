//! `otaru sim`: one simulated device in a process of its own.

use crate::program::Program;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// A device that can be killed and started again on the same flash.
#[derive(Debug)]
pub struct Device {
    binary: PathBuf,
    thing: String,
    folder: PathBuf,
    log: PathBuf,
    options: DeviceOptions,
    program: Option<Program>,
}

/// How a device behaves.
#[derive(Debug, Clone)]
pub struct DeviceOptions {
    /// The image a new flash file begins with.
    pub factory_image: PathBuf,
    /// How long the new firmware tests itself.
    pub self_test: Duration,
    /// Speed of its link in kilobits a second; none means as fast as it goes.
    pub link_kbps: Option<u32>,
}

impl Device {
    /// A device in the folder that `device add` wrote; starts nothing.
    pub fn new(binary: &Path, thing: &str, folder: &Path, options: DeviceOptions) -> Device {
        Device {
            binary: binary.to_owned(),
            thing: thing.to_owned(),
            folder: folder.to_owned(),
            log: folder.with_extension("log"),
            options,
            program: None,
        }
    }

    /// Power on. The factory image matters only for a flash file that is not there yet.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("sim").arg("--dir").arg(&self.folder).arg("--flash").arg(self.flash_path());
        command.arg("--image").arg(&self.options.factory_image);
        command.arg("--self-test-ms").arg(self.options.self_test.as_millis().to_string());
        if let Some(link_kbps) = self.options.link_kbps {
            command.arg("--link-kbps").arg(link_kbps.to_string());
        }
        self.program = Some(Program::start(&mut command, &self.log)?);
        Ok(())
    }

    /// Power off, at whatever it is doing.
    pub async fn kill(&mut self) -> Result<()> {
        match self.program.take() {
            Some(mut program) => program.kill().await,
            None => Ok(()),
        }
    }

    /// Fails when the device ended by itself, which a device never does.
    pub fn assert_runs(&mut self) -> Result<()> {
        let program = self.program.as_mut().context("the device is off")?;
        if let Some(status) = program.ended()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            anyhow::bail!("{} ended with {status}:\n{}", self.thing, tail.join("\n"));
        }
        Ok(())
    }

    /// Its thing name.
    pub fn thing(&self) -> &str {
        &self.thing
    }

    /// Its folder with certificate and key.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its flash chip.
    pub fn flash_path(&self) -> PathBuf {
        self.folder.join("flash.bin")
    }
}
