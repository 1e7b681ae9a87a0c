//! Carrying effects out.

use otaru_agent::{BootFacts, Effect, Input, LogLine, SettingId, Target, Wanted};
use otaru_host::Carried;
use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ShadowId, ShadowTopic, Topic};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::{Exit, Firmware, wall_ms};
use crate::SimError;
use crate::download::{Told, Transfer};
use crate::https::Https;
use crate::jobs::{self, Finished};
use crate::manifest::{Known, Search};

impl Firmware<'_> {
    pub(super) fn carry_out_one(&mut self, effect: Effect<'_>) -> Result<(), SimError> {
        // Whoever has no power says nothing about it.
        self.host.flash().check_power()?;
        match effect {
            Effect::Subscribe(topics) => self.subscribe(topics),
            Effect::Publish { topic, payload, delivery } => {
                let topic = topic.format(&self.identity.namespace);
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                self.publisher.publish(topic, bytes, delivery);
            }
            Effect::Disconnect => self.publisher.disconnect(),
            Effect::CheckManifest(wanted) => self.check_manifest(wanted)?,
            Effect::CheckTrust => self.check_trust()?,
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
                self.heard = None;
            }
            // Hashed piece by piece: other devices and links have work meanwhile.
            Effect::VerifySlot(target) => {
                let verification = self.host.verification(&target);
                self.job = Some(jobs::verify_slot(self.host.flash().clone(), verification));
            }
            Effect::RunSelfTest => self.run_self_test(),
            Effect::ApplySetting { id, name, value } => self.apply(name, value, Some(id)),
            Effect::RestoreSetting { name, value } => self.apply(name, value, None),
            Effect::Log(line) => self.log(line)?,
            effect => self.carry_out_on_flash(effect)?,
        }
        Ok(())
    }

    /// The product takes one setting after the other.
    fn apply(&mut self, name: &str, value: &str, id: Option<SettingId>) {
        self.settings.push_back((format!("{{\"{name}\":{value}}}"), id));
        self.apply_next_setting();
    }

    fn carry_out_on_flash(&mut self, effect: Effect<'_>) -> Result<(), SimError> {
        if let Effect::ArmTrialBoot(_) = effect
            && self.host.flash().sync().is_err()
        {
            self.answers.push_back(Input::TrialBootArmed(Err(Reason::FlashFailed)));
            return Ok(());
        }
        match self.host.carry_out(effect)? {
            Carried::Done => {}
            Carried::NotKept(reason) => self.log_not_kept("settings or manifest", reason)?,
            Carried::Answer(answer) => self.answers.push_back(answer.into()),
            Carried::Restart => self.exit = Some(Exit::Restart),
            Carried::Outside(effect) => tracing::error!(?effect, "Nobody carries this out"),
        }
        Ok(())
    }

    fn subscribe(&self, topics: &[ShadowTopic]) {
        let shadow = ShadowId { thing: self.identity.thing.clone(), name: None };
        self.publisher.subscribe(topics.iter().map(|topic| shadow.topic_name(*topic)).collect());
    }

    /// Whom to trust; the reason to report where the built-in root key is missing or none.
    fn known(&mut self) -> Result<Result<Known, Reason>, SimError> {
        let root_key = match self.identity.root_key() {
            Ok(root_key) => root_key,
            Err(reason) => return Ok(Err(reason)),
        };
        let product = self.identity.product.clone();
        self.host.set_root_key(Some(root_key));
        let (root, trust) = self.host.trusted()?;
        Ok(Ok(Known { product, root_key, root, trust, clock: self.options.clock }))
    }

    fn check_manifest(&mut self, wanted: Wanted) -> Result<(), SimError> {
        let https = Https::new(self.identity, self.options);
        let slot = self.host.layout().slot(self.host.slot().other());
        let search = self.known()?.map(|known| Search {
            known,
            wanted,
            thing: self.identity.thing.clone(),
            chip: self.chip,
            revision: self.options.chip_revision,
            slot_bytes: u64::from(slot.size),
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

    /// What runs has its floor before anything else is expected. A memory that was lost is told
    /// of first: cut off in between, it is told of once more.
    pub(super) fn begin_trust(&mut self, facts: &BootFacts) -> Result<(), SimError> {
        let (_, trust) = self.host.trusted()?;
        if trust.is_lost() {
            let message = &["the memory of signatures was lost and begins with what runs"];
            let (level, reason) = (LogLevel::Error, Some(Reason::TrustLost));
            self.log(LogLine { level, code: Some("IO_FAILED"), message, reason })?;
        }
        let Some(agent) = &self.agent else { return Ok(()) };
        match self.host.begin_trust(facts, agent.journal())? {
            Ok(()) => Ok(()),
            Err(reason) => self.log_not_kept("the floor of what runs", reason),
        }
    }

    fn download(&mut self, target: Target, from_start: bool) -> Result<(), SimError> {
        let fail = |fault| Input::DownloadEnded(Err(fault));
        let Some((checked, https)) = self.checked.take() else {
            self.answers.push_back(fail(Reason::Internal.into()));
            return Ok(());
        };
        let download =
            match self.host.patch_download(&target, &checked.manifest, self.chip, from_start)? {
                Ok(download) => download,
                Err(fault) => {
                    self.answers.push_back(fail(fault));
                    return Ok(());
                }
            };
        let (told, heard) = unbounded_channel();
        let transfer = Transfer {
            https,
            flash: self.host.flash().clone(),
            download,
            manifest: checked.manifest,
            link_kbps: self.options.link_kbps,
            faults: self.options.faults.clone(),
            view: self.options.view.clone(),
            told,
        };
        self.heard = Some(heard);
        self.job =
            Some(Box::pin(
                async move { Finished::Answer(Input::DownloadEnded(transfer.run().await)) },
            ));
        Ok(())
    }

    /// What is said of a download before its end.
    pub(super) fn transfer_told(&mut self, told: Told) -> Result<(), SimError> {
        match told {
            Told::Bytes(done) => self.step(Input::BytesRead { done }),
            Told::Progress(progress) => Ok(self.host.keep_progress(progress)?),
            Told::Line(line) => line.tell(|line| self.log(line)),
            Told::Refused { target, refusal } => {
                self.host.patch_refused(&target);
                refusal.tell(|line| self.log(line))
            }
        }
    }

    fn run_self_test(&mut self) {
        if self.product.hangs() {
            self.exit = Some(Exit::Hang);
            return;
        }
        self.self_test = Some(self.product.self_test());
    }

    pub(super) fn log(&mut self, line: LogLine<'_>) -> Result<(), SimError> {
        let message = line.message.concat();
        tracing::info!(device.thing = %self.identity.thing, reason = ?line.reason, "{message}");
        Ok(self.logs.push(&mut self.host, &self.identity.thing, line, wall_ms())?)
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
        let message = &["no link to the broker: ", &message];
        self.log(LogLine { level: LogLevel::Warn, code: Some("IO_FAILED"), message, reason })
    }

    /// Sends the oldest log records, one batch at a time.
    pub(super) fn post_logs(&mut self) -> Result<(), SimError> {
        let paused = self.logs_paused_until.is_some_and(|until| Instant::now() < until);
        // What the shadow needs comes first on a link of which nothing is known yet.
        if !self.agent.as_ref().is_some_and(|agent| agent.is_online()) || paused {
            return Ok(());
        }
        self.logs_paused_until = None;
        if let Some(batch) = self.logs.batch(&mut self.host)? {
            let topic = Topic::Logs { thing: self.identity.thing.clone() };
            if !self.publisher.publish_logs(topic.format(&self.identity.namespace), batch) {
                self.logs.lost();
            }
        }
        Ok(())
    }
}
