//! The run: people work, processes die and come back, then everything is judged.

use crate::attack::{self, Attack};
use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::people::{self, Closing};
use crate::verdict;
use anyhow::{Context, Result};
use otaru_real_fleet::{Api, Behaviour, Fleet, FleetOptions, firmware};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// Three, so that one is mostly in another phase than the rest.
const DEVICES: usize = 3;

/// Long enough that some kills hit the trial, short enough that updates end between kills.
const SELF_TEST: Duration = Duration::from_millis(700);

/// Stretches a download to about a second, so that kills hit it.
const LINK_KBPS: u32 = 3_000;

/// A debug build on a busy machine.
const FIRST_REPORT_LIMIT: Duration = Duration::from_secs(60);

const FACTORY_VERSION: &str = "1.0.4";

/// A fleet under attack.
pub(crate) struct Campaign {
    fleet: Fleet,
    ledger: Arc<Ledger>,
    seed: u64,
}

impl Campaign {
    /// Sets the fleet up and turns it on.
    pub(crate) async fn start(
        binary: &Path,
        database_url: Option<&str>,
        seed: u64,
    ) -> Result<Campaign> {
        let factory = firmware(FACTORY_VERSION, people::IMAGE_BYTES, Behaviour::Pass);
        let options = FleetOptions {
            binary,
            database_url,
            factory: (FACTORY_VERSION, &factory),
            devices: DEVICES,
            self_test: SELF_TEST,
            link_kbps: Some(LINK_KBPS),
        };
        let mut fleet = Fleet::start(&options).await?;
        for device in &mut fleet.devices {
            device.start()?;
        }
        // A device that was never on has no flash yet, and making one is the factory's work.
        fleet.wait_until_reported(FIRST_REPORT_LIMIT).await?;
        let ledger = Arc::new(Ledger::default());
        ledger.with(|facts| {
            facts.images.insert(FACTORY_VERSION.to_owned(), factory);
            facts.published.push(FACTORY_VERSION.to_owned());
        });
        Ok(Campaign { fleet, ledger, seed })
    }

    /// Kills, then judges.
    pub(crate) async fn run(&mut self, kills: u32) -> Result<()> {
        let people = self.people()?;
        let mut attack = Attack::new(Chance::new(self.seed, 0), &self.ledger);
        let attacked = attack.kill_many(&mut self.fleet, kills).await;
        people.go_home().await?;
        attacked?;
        verdict::judge(&mut self.fleet, &self.ledger).await
    }

    /// Puts the server back to an earlier state of its own, then judges: it must not pass.
    pub(crate) async fn run_with_a_server_that_forgets(&mut self) -> Result<()> {
        let people = self.people()?;
        let attacked = attack::rewind(&mut self.fleet).await;
        people.go_home().await?;
        attacked?;
        verdict::judge(&mut self.fleet, &self.ledger).await
    }

    /// Ends everything and leaves the files for whoever looks into the failure.
    pub(crate) fn keep(self) -> PathBuf {
        self.fleet.keep()
    }

    /// Everybody starts to work.
    fn people(&self) -> Result<People> {
        let closing = Closing::default();
        let mut tasks = JoinSet::new();
        let console = &self.fleet.console;
        let device_url = self.fleet.server.device_url();
        for device in &self.fleet.devices {
            let (thing, ledger) = (device.thing().to_owned(), self.ledger.clone());
            let own = Api::with_certificate(&device_url, device.folder())?;
            let (owner, admin) = (console.owner.clone(), console.admin_api.clone());
            let shared = (thing, ledger, closing.clone());
            let (thing, ledger, closing) = shared.clone();
            tasks.spawn(people::count_in_shadow(own, thing, ledger, closing));
            let (thing, ledger, closing) = shared.clone();
            tasks.spawn(people::change_phrases(owner, thing, ledger, closing));
            let (thing, ledger, closing) = shared;
            tasks.spawn(people::read_logs(admin, thing, ledger, closing));
        }
        let publisher = self.publisher(&closing);
        Ok(People { closing, tasks, publisher })
    }

    fn publisher(&self, closing: &Closing) -> JoinHandle<Result<()>> {
        let console = self.fleet.console.clone();
        let things: Vec<String> =
            self.fleet.devices.iter().map(|device| device.thing().to_owned()).collect();
        let (ledger, closing) = (self.ledger.clone(), closing.clone());
        let chance = Chance::new(self.seed, 1);
        tokio::spawn(async move {
            people::publish_and_install(&console, &things, &ledger, &closing, chance).await
        })
    }
}

/// Those at work.
struct People {
    closing: Closing,
    tasks: JoinSet<()>,
    publisher: JoinHandle<Result<()>>,
}

impl People {
    /// Lets everybody finish what they do, and fails if somebody could not work.
    async fn go_home(mut self) -> Result<()> {
        self.closing.store(true, Ordering::Relaxed);
        self.publisher.await.context("the publisher panicked")??;
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("somebody panicked")?;
        }
        Ok(())
    }
}
