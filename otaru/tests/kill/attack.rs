//! `kill -9` at random moments, of the server and of devices.

use crate::chance::Chance;
use crate::ledger::Ledger;
use anyhow::{Context, Result, ensure};
use otaru_real_fleet::{Device, Fleet, Server, flash};
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
}

impl<'a> Attack<'a> {
    pub(crate) fn new(chance: Chance, ledger: &'a Ledger) -> Attack<'a> {
        Attack { chance, ledger }
    }

    /// Kills this many times. Everything runs again at the end.
    pub(crate) async fn kill_many(&mut self, fleet: &mut Fleet, kills: u32) -> Result<()> {
        for nth in 1..=kills {
            tokio::time::sleep(self.chance.pause(LIFE_LIMIT)).await;
            let victim = self.chance.below(fleet.devices.len() as u64 + 2) as usize;
            match fleet.devices.get_mut(victim) {
                Some(device) => {
                    eprintln!("kill {nth}: {}", device.thing());
                    self.kill_device(device).await?;
                }
                None => {
                    eprintln!("kill {nth}: server");
                    self.kill_server(&mut fleet.server).await?;
                }
            }
        }
        Ok(())
    }

    async fn kill_device(&mut self, device: &mut Device) -> Result<()> {
        device.assert_runs()?;
        device.kill().await?;
        self.check_flash(device)?;
        tokio::time::sleep(self.chance.pause(DEATH_LIMIT)).await;
        device.start()
    }

    /// Sometimes it dies a second time while it starts, with whatever it had begun to recover.
    async fn kill_server(&mut self, server: &mut Server) -> Result<()> {
        server.kill().await?;
        tokio::time::sleep(self.chance.pause(DEATH_LIMIT)).await;
        if self.chance.once_in(4) {
            let birth = self.chance.pause(BIRTH_LIMIT);
            match tokio::time::timeout(birth, server.start()).await {
                Ok(started) => _ = started.context("could not start after a kill")?,
                Err(_) => server.kill().await?,
            }
        }
        if server.program().is_none() {
            server.start().await.context("could not start after a kill")?;
        }
        Ok(())
    }

    /// Whatever a device was doing when it died, what would boot is one whole image somebody published.
    fn check_flash(&self, device: &Device) -> Result<()> {
        let running = flash::running(&device.flash_path())?;
        let is_whole =
            self.ledger.with(|facts| facts.images.values().any(|image| running.is(image)));
        ensure!(is_whole, "{}: slot {} holds no published image", device.thing(), running.slot);
        Ok(())
    }
}
