//! `kill -9` at random moments, of the server and of devices.

use crate::chance::Chance;
use crate::ledger::Ledger;
use anyhow::{Context, Result};
use otaru_real_fleet::{Device, Fleet, Server, flash};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// The longest time between two kills. An update takes about two seconds here.
const LIFE_LIMIT: Duration = Duration::from_millis(1_500);

/// The longest time a process stays dead.
const DEATH_LIMIT: Duration = Duration::from_millis(400);

/// The longest time a start-up is watched before it is killed as well.
const BIRTH_LIMIT: Duration = Duration::from_millis(800);

/// One run's killer.
pub(crate) struct Attack<'a> {
    chance: Chance,
    ledger: &'a Ledger,
    /// What died last, for whoever reads along.
    last: String,
}

impl<'a> Attack<'a> {
    pub(crate) fn new(chance: Chance, ledger: &'a Ledger) -> Attack<'a> {
        Attack { chance, ledger, last: String::new() }
    }

    /// Kills this many times. Everything runs again at the end.
    pub(crate) async fn kill_many(&mut self, fleet: &mut Fleet, kills: u32) -> Result<()> {
        for nth in 1..=kills {
            tokio::time::sleep(self.chance.pause(LIFE_LIMIT)).await;
            let victim = self.chance.below(fleet.devices.len() as u64 + 2) as usize;
            match fleet.devices.get_mut(victim) {
                Some(device) => self.kill_device(device).await?,
                None => self.kill_server(&mut fleet.server).await?,
            }
            eprintln!("kill {nth}: {}", self.last);
        }
        Ok(())
    }

    async fn kill_device(&mut self, device: &mut Device) -> Result<()> {
        device.assert_runs()?;
        device.kill().await?;
        let trial = if self.check_flash(device)? { " on trial" } else { "" };
        self.last = format!("{}{trial}", device.thing());
        tokio::time::sleep(self.chance.pause(DEATH_LIMIT)).await;
        device.start()
    }

    /// Sometimes it dies a second time while it starts, with whatever it had begun to recover.
    async fn kill_server(&mut self, server: &mut Server) -> Result<()> {
        server.kill().await?;
        "server".clone_into(&mut self.last);
        tokio::time::sleep(self.chance.pause(DEATH_LIMIT)).await;
        if self.chance.once_in(4) {
            let birth = self.chance.pause(BIRTH_LIMIT);
            match tokio::time::timeout(birth, server.start()).await {
                Ok(started) => _ = started.context("could not start after a kill")?,
                Err(_) => {
                    server.kill().await?;
                    "server, and while it started".clone_into(&mut self.last);
                }
            }
        }
        if server.program().is_none() {
            server.start().await.context("could not start after a kill")?;
        }
        Ok(())
    }

    /// Whatever a device was doing when it died, all that can boot is a whole image somebody
    /// published. Answers whether one was on trial.
    fn check_flash(&self, device: &Device) -> Result<bool> {
        let found = flash::choices(&device.flash_path())?;
        self.ledger
            .with(|facts| {
                found.check(|firmware| facts.images.values().any(|image| firmware.is(image)))
            })
            .with_context(|| device.thing().to_owned())?;
        Ok(found.on_trial.is_some())
    }
}

/// Lets the server work, then takes its database back to an earlier moment: what it acknowledged
/// in between is gone, as if it had never been written.
pub(crate) async fn rewind(fleet: &mut Fleet) -> Result<()> {
    let kept = fleet.folder().join("kept");
    std::fs::create_dir(&kept)?;
    tokio::time::sleep(LIFE_LIMIT).await;
    fleet.server.kill().await?;
    copy_database(fleet.server.folder(), &kept)?;
    fleet.server.start().await?;
    tokio::time::sleep(LIFE_LIMIT).await;
    fleet.server.kill().await?;
    copy_database(&kept, fleet.server.folder())?;
    fleet.server.start().await?;
    tokio::time::sleep(LIFE_LIMIT).await;
    Ok(())
}

/// Copies SQLite's files from one folder to another; only while nobody has them open.
pub(crate) fn copy_database(from: &Path, to: &Path) -> Result<()> {
    for name in ["otaru.db", "otaru.db-wal", "otaru.db-shm"] {
        match std::fs::copy(from.join(name), to.join(name)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                _ = std::fs::remove_file(to.join(name));
            }
            Err(error) => return Err(error).context("could not copy the database"),
        }
    }
    Ok(())
}
