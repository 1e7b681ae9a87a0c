//! The owner: claims the devices, waits for the news, installs, and watches.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use anyhow::{Context, bail};
use otaru_client::{Client, ClientOptions, Event, OwnDevice, Update, When};
use otaru_wire::{ReleaseVersion, ThingName};

/// Lines of a download that takes a moment.
const STEPS: u64 = 4;

/// A person with a token and some devices.
pub(crate) struct Owner {
    client: Client,
}

impl Owner {
    pub(crate) fn new(server: &str, token: String) -> anyhow::Result<Owner> {
        let options = ClientOptions { server: server.to_owned(), token: Some(token), ca_pem: None };
        Ok(Owner { client: Client::new(&options)? })
    }

    pub(crate) async fn claim(&self, code: &str) -> anyhow::Result<()> {
        self.client.claim_device(code).await?;
        Ok(())
    }

    /// Waits until every device is online and says that it runs `version`.
    pub(crate) async fn wait_until_all_run(&self, version: &str) -> anyhow::Result<()> {
        loop {
            let devices = self.devices().await?;
            if devices.iter().all(|device| device.online && runs(device, version)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the app would show that `version` can be installed on every device.
    pub(crate) async fn wait_until_offered(&self, version: &str) -> anyhow::Result<()> {
        for device in self.devices().await? {
            let offered = device.available.as_ref().map(|release| release.version.as_str());
            if offered != Some(version) {
                bail!("{} is offered {offered:?} instead of {version}", device.thing);
            }
        }
        Ok(())
    }

    pub(crate) async fn install(
        &self,
        thing: &str,
        version: &ReleaseVersion,
    ) -> anyhow::Result<()> {
        let thing = ThingName::new(thing)?;
        self.client.install(&thing, version, When::Now).await?;
        Ok(())
    }

    /// Follows the updates to a version until all have ended; `say` hears each step.
    pub(crate) async fn follow(
        &self,
        things: &[String],
        version: &str,
        mut say: impl FnMut(&str),
    ) -> anyhow::Result<BTreeMap<String, Update>> {
        // Listens from the beginning of the log: nothing that happened meanwhile is missed.
        let mut events = self.client.listen_to_own(Some("0".to_owned())).await?;
        let mut ended = BTreeMap::new();
        let mut said = HashSet::new();
        while ended.len() < things.len() {
            let Event { kind, body, .. } = events.next().await?;
            if kind != "update_changed" && kind != "update_finished" {
                continue;
            }
            let update: Update =
                serde_json::from_value(body).context("an event that is no update")?;
            if update.version != version {
                continue;
            }
            let line = describe(&update, STEPS);
            if said.insert(line.clone()) {
                say(&line);
            }
            if update.outcome.is_some() {
                ended.insert(update.thing.clone(), update);
            }
        }
        Ok(ended)
    }

    /// Fails unless every device runs `version` in `state`, from the image with this digest.
    pub(crate) async fn check_all_run(
        &self,
        version: &str,
        sha256: &str,
        state: &str,
    ) -> anyhow::Result<()> {
        for device in self.devices().await? {
            let running = device.running.as_ref();
            let found = running.and_then(|running| running.state.as_deref());
            let image = running.and_then(|running| running.sha256.as_deref());
            if !runs(&device, version) || found != Some(state) || image != Some(sha256) {
                bail!("{} does not run {version}, {state}: {running:?}", device.thing);
            }
        }
        Ok(())
    }

    async fn devices(&self) -> anyhow::Result<Vec<OwnDevice>> {
        let devices = self.client.list_own_devices().await?;
        Ok(devices.into_iter().map(otaru_client::Object::into_inner).collect())
    }
}

fn runs(device: &OwnDevice, version: &str) -> bool {
    device.running.as_ref().and_then(|running| running.version.as_deref()) == Some(version)
}

/// An update's step in words; a download in as many lines as there are `steps`: one for every
/// tick would hide the story.
pub(crate) fn describe(update: &Update, steps: u64) -> String {
    let Update { thing, phase, outcome, reason, done, total, .. } = update;
    let reason = reason.as_ref().map(|reason| format!(" ({})", reason.name)).unwrap_or_default();
    match outcome {
        Some(outcome) => format!("{thing}: {outcome}{reason}"),
        None if phase == "downloading" && *total > 0 => {
            format!("{thing}: downloading {} %", done * steps / total * (100 / steps))
        }
        None => format!("{thing}: {phase}{reason}"),
    }
}
