//! Carrying effects out.

use otaru_agent::{BootFacts, Effect, Input, LogLine, Target, Wanted};
use otaru_release::{Behaviour, Chip, RootDocument};
use otaru_slots::boot::images_for;
use otaru_slots::{OtaDataError, otadata};
use otaru_wire::payload::LogLevel;
use otaru_wire::{Digest, Reason, ShadowId, ShadowTopic, Topic};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::{Exit, Firmware, wall_ms};
use crate::SimError;
use crate::download::Download;
use crate::https::Https;
use crate::jobs::{self, Finished};
use crate::manifest::{Known, Search};

impl Firmware<'_> {
    pub(super) fn carry_out_one(&mut self, effect: Effect) -> Result<(), SimError> {
        match effect {
            Effect::Subscribe(topics) => self.subscribe(topics),
            Effect::Publish { topic, payload, delivery } => {
                let topic = topic.format(&self.identity.namespace);
                self.publisher.publish(topic, payload, delivery);
            }
            Effect::Disconnect => self.publisher.disconnect(),
            Effect::SaveJournal(bytes) => self.storage.save_journal(&bytes)?,
            Effect::SaveSettings(bytes) => self.storage.save_settings(&bytes)?,
            Effect::CheckManifest(wanted) => self.check_manifest(wanted)?,
            Effect::CheckTrust => self.check_trust()?,
            Effect::AdoptManifest(target) => {
                self.expect_floor(&target)?;
                self.storage.save_target(self.slot, &target)?;
            }
            Effect::RaiseFloor(sha256) => self.raise_floor(&sha256)?,
            Effect::Download { target, from_start } => self.download(target, from_start)?,
            Effect::AskProduct(question) => {
                self.job = self.options.hook.as_ref().map(|hook| jobs::ask_product(hook, question));
            }
            Effect::ShowOffer(offer) => {
                if let Some(hook) = &self.options.hook {
                    hook.show(offer);
                }
            }
            Effect::StopTransfer => {
                self.job = None;
                self.bytes_read = None;
            }
            Effect::VerifySlot(target) => {
                let (flash, slot) = (self.flash.clone(), self.slot.other());
                self.job = Some(jobs::verify_slot(flash, self.layout, slot, target));
            }
            Effect::ArmTrialBoot(_) => {
                let armed = otadata::set_boot(&mut self.flash, &self.layout, self.slot.other());
                self.answers.push_back(Input::TrialBootArmed(flash_result(armed)));
            }
            Effect::Restart => self.exit = Some(Exit::Restart),
            Effect::RunSelfTest => self.run_self_test(),
            Effect::ConfirmSlot => {
                let confirmed = otadata::mark_valid(&mut self.flash, &self.layout, self.slot);
                self.answers.push_back(Input::SlotConfirmed(flash_result(confirmed)));
            }
            Effect::RollBack => self.roll_back(),
            // A simulated product takes every setting.
            Effect::ApplySetting { name, value } => {
                self.answers.push_back(Input::SettingApplied { name, value });
            }
            Effect::RestoreSetting { .. } => {}
            Effect::Log(line) => self.log(line)?,
        }
        Ok(())
    }

    fn subscribe(&self, topics: Vec<ShadowTopic>) {
        let shadow = ShadowId { thing: self.identity.thing.clone(), name: None };
        self.publisher
            .subscribe(topics.into_iter().map(|topic| shadow.topic_name(topic)).collect());
    }

    /// Whom to trust; the reason to report where the built-in root key is missing or none.
    fn known(&mut self) -> Result<Result<Known, Reason>, SimError> {
        let root_key = match self.identity.root_key() {
            Ok(root_key) => root_key,
            Err(reason) => return Ok(Err(reason)),
        };
        let product = self.identity.product.clone();
        let (root, trust) = (self.storage.root(&root_key)?, self.storage.trust()?);
        Ok(Ok(Known { product, root_key, root, trust, clock: self.options.clock }))
    }

    fn check_manifest(&mut self, wanted: Wanted) -> Result<(), SimError> {
        let https = Https::new(self.identity, self.options);
        let search = self.known()?.map(|known| Search {
            known,
            wanted,
            thing: self.identity.thing.clone(),
            chip: self.chip,
            revision: self.options.chip_revision,
            slot_bytes: u64::from(self.layout.slot(self.slot.other()).size),
        });
        self.checked = None;
        self.job = Some(jobs::check_manifest(https, search));
        Ok(())
    }

    /// A root without server key asks for nothing: then an update is early enough to walk.
    fn check_trust(&mut self) -> Result<(), SimError> {
        let asks = |known: &Known| known.root.as_ref().is_none_or(|root| root.server_key.is_some());
        let known = self.known()?.ok().filter(asks);
        if let (Some(known), Ok(https)) = (known, Https::new(self.identity, self.options)) {
            self.watch = Some(jobs::watch_trust(https, known));
        }
        Ok(())
    }

    /// The manifest just checked is that of the image under way.
    fn expect_floor(&mut self, target: &Target) -> Result<(), SimError> {
        if let Some((checked, _)) = &self.checked {
            let mut trust = self.storage.trust()?;
            trust.expect(target, checked.signer);
            self.storage.save_trust(&trust)?;
        }
        Ok(())
    }

    /// What runs has its floor before anything else is expected. A memory that was lost is told
    /// of first: cut off in between, it is told of once more.
    pub(super) fn begin_trust(&mut self, facts: &BootFacts) -> Result<(), SimError> {
        let mut trust = self.storage.trust()?;
        if trust.is_lost() {
            let message = "the memory of signatures was lost and begins with what runs".to_owned();
            let (level, reason) = (LogLevel::Error, Some(Reason::TrustLost));
            self.log(LogLine { level, code: Some("IO_FAILED"), message, reason })?;
        }
        let root = self.root()?;
        if trust.begin(facts, self.agent.journal().security_floor, root.as_ref()) {
            self.storage.save_trust(&trust)?;
        }
        Ok(())
    }

    /// The newest root document verified.
    fn root(&mut self) -> Result<Option<RootDocument>, SimError> {
        match self.identity.root_key() {
            Ok(key) => Ok(self.storage.root(&key)?),
            Err(_) => Ok(None),
        }
    }

    fn raise_floor(&mut self, sha256: &Digest) -> Result<(), SimError> {
        let root = self.root()?;
        let mut trust = self.storage.trust()?;
        if trust.confirm(sha256, root.as_ref()) {
            self.storage.save_trust(&trust)?;
        }
        Ok(())
    }

    fn download(&mut self, target: Target, from_start: bool) -> Result<(), SimError> {
        self.expect_floor(&target)?;
        let Some((checked, https)) = self.checked.take() else {
            let missing = Input::DownloadEnded(Err(Reason::Internal.into()));
            self.answers.push_back(missing);
            return Ok(());
        };
        // What the manifest says is kept beside the slot it will be in, before the first
        // erase: a label without its image is found out by the hash, an image without its
        // label would lose its name.
        self.storage.save_target(self.slot.other(), &target)?;
        let (progress, bytes_read) = unbounded_channel();
        let download = Download {
            https,
            flash: self.flash.clone(),
            layout: self.layout,
            running: self.slot,
            chip: self.chip,
            manifest: checked.manifest,
            from_start,
            link_kbps: self.options.link_kbps,
            progress,
        };
        self.bytes_read = Some(bytes_read);
        self.job =
            Some(Box::pin(
                async move { Finished::Answer(Input::DownloadEnded(download.run().await)) },
            ));
        Ok(())
    }

    fn roll_back(&mut self) {
        let image_ok = images_for(self.identity.chip.map(Chip::id));
        let marked = otadata::roll_back(&mut self.flash, &self.layout, self.slot, image_ok);
        if let Err(OtaDataError::NoOtherSlot | OtaDataError::SequenceExhausted { .. }) = marked {
            self.answers.push_back(Input::RollBackFailed(Reason::FlashFailed));
            return;
        }
        // Where flash refuses the mark, the restart itself gives the trial up.
        let _ = flash_result(marked);
        self.exit = Some(Exit::Restart);
    }

    fn run_self_test(&mut self) {
        let result = match self.behaviour {
            Behaviour::Hang => {
                self.exit = Some(Exit::Hang);
                return;
            }
            Behaviour::Fail => Err(Reason::SelfTestFailed),
            Behaviour::Pass | Behaviour::Crash => Ok(()),
        };
        let takes = self.options.self_test;
        self.self_test = Some(Box::pin(async move {
            tokio::time::sleep(takes).await;
            Finished::Answer(Input::SelfTestEnded(result))
        }));
    }

    pub(super) fn log(&mut self, line: LogLine) -> Result<(), SimError> {
        tracing::info!(device.thing = %self.identity.thing, reason = ?line.reason, "{}", line.message);
        Ok(self.logs.push(&mut self.storage, &self.identity.thing, line, wall_ms())?)
    }

    /// A link that does not come up is worth one line, not one a try.
    pub(super) fn log_link_fault(
        &mut self,
        reason: Option<Reason>,
        message: String,
    ) -> Result<(), SimError> {
        tracing::debug!(device.thing = %self.identity.thing, ?reason, "{message}");
        if reason.is_none() || reason == self.last_link_fault {
            return Ok(());
        }
        self.last_link_fault = reason;
        let message = format!("no link to the broker: {message}");
        self.log(LogLine { level: LogLevel::Warn, code: Some("IO_FAILED"), message, reason })
    }

    /// Sends the oldest log records, one batch at a time.
    pub(super) fn post_logs(&mut self) -> Result<(), SimError> {
        let paused = self.logs_paused_until.is_some_and(|until| Instant::now() < until);
        // What the shadow needs comes first on a link of which nothing is known yet.
        if !self.agent.is_online() || paused {
            return Ok(());
        }
        self.logs_paused_until = None;
        if let Some(batch) = self.logs.batch(&mut self.storage)? {
            let topic = Topic::Logs { thing: self.identity.thing.clone() };
            if !self.publisher.publish_logs(topic.format(&self.identity.namespace), batch) {
                self.logs.lost();
            }
        }
        Ok(())
    }
}

fn flash_result(result: Result<(), OtaDataError>) -> Result<(), Reason> {
    result.map_err(|error| {
        tracing::error!(error = %error, "Boot selector refused");
        Reason::FlashFailed
    })
}
