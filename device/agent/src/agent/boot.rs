//! Power-on: from stored bytes and boot facts to a running agent.

use alloc::format;
use alloc::vec::Vec;

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason};
use serde_json::{Map, Value};

use super::link::Link;
use super::{Agent, AgentPhase, Meter, Reporter, Screen, Settings, Settling, TrustWatch};
use crate::journal::Ended;
use crate::{AgentConfig, BootFacts, Effect, EntryState, Journal, Moment, NextAction, reconcile};

/// What the host found in the agent's storage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    /// Bytes of the last [`Effect::SaveJournal`]; empty on a new device.
    pub journal: &'a [u8],
    /// Bytes of the last [`Effect::SaveSettings`]; empty on a new device.
    pub settings: &'a [u8],
    /// Why the whole store was created anew, if it was.
    pub recreated: Option<Reason>,
}

impl Agent {
    /// Starts the agent after a boot; the effects come before those of the first step.
    ///
    /// Storage that cannot be read costs what was in it, never the device: it is
    /// logged with its reason, and journal or settings begin empty.
    pub fn start(
        config: AgentConfig,
        facts: &BootFacts,
        stored: Stored<'_>,
        now: Moment,
    ) -> (Agent, Vec<Effect>) {
        let (journal, journal_lost) = match Journal::from_bytes(stored.journal) {
            Ok(journal) => (journal, None),
            Err(error) => (Journal::default(), Some(error.reason())),
        };
        let (settings, settings_lost) = read_settings(stored.settings);
        let mut agent = Agent {
            config,
            running: facts.running.clone(),
            running_stays: !matches!(
                facts.running_entry,
                EntryState::New | EntryState::PendingVerify
            ),
            journal,
            phase: AgentPhase::Idle,
            settling: Settling::Settled,
            shadow: Default::default(),
            link: Link::Down,
            reporter: Reporter::default(),
            settings: Settings::restored(settings),
            meter: Meter::default(),
            screen: Screen::default(),
            trust: TrustWatch::default(),
            now,
            effects: Vec::new(),
        };
        for reason in [stored.recreated, journal_lost, settings_lost].into_iter().flatten() {
            let message = format!("stored state was lost and begins anew: {reason}");
            agent.log(LogLevel::Error, "IO_FAILED", message, Some(reason));
        }
        if stored.recreated.or(journal_lost).is_some() {
            agent.distrust_given_up(facts);
            agent.trust_what_stays();
        }
        agent.restore_settings();
        agent.act_on_boot(facts);
        let effects = core::mem::take(&mut agent.effects);
        (agent, effects)
    }

    fn restore_settings(&mut self) {
        for (name, value) in self.settings.applied() {
            let (name, value) = (name.clone(), value.clone());
            self.effects.push(Effect::RestoreSetting { name, value });
        }
    }

    fn act_on_boot(&mut self, facts: &BootFacts) {
        let action = reconcile(&self.journal, facts);
        if action == NextAction::StartTrial && facts.running_entry == EntryState::New {
            let message = "the bootloader left the trial unmarked: it cannot go back by itself";
            let reason = Some(Reason::RollbackUnsupported);
            self.log(LogLevel::Warn, "OTA_UPDATE_FAILED", message, reason);
        }
        match action {
            NextAction::FollowWish => self.adopt_running(),
            NextAction::ResumeFetch => self.resume_fetch(),
            NextAction::ArmAgain => self.verify_slot(),
            NextAction::StartTrial => self.begin_trial(),
            NextAction::RollBackNow => {
                self.phase = AgentPhase::RollingBack;
                self.effects.push(Effect::RollBack);
            }
            NextAction::ReportConfirmed => {
                self.running_stays = true;
                // Power went behind the confirmation, or in it: said twice, it stays.
                self.effects.push(Effect::ConfirmSlot);
                self.finish(Outcome::Confirmed, None);
            }
            NextAction::ReportRolledBack(reason) => {
                self.finish(Outcome::RolledBack, Some(reason));
            }
            NextAction::ReportFailed(reason) => self.finish(Outcome::Failed, Some(reason)),
            NextAction::ReportReverted => self.report_reverted(),
        }
    }

    fn resume_fetch(&mut self) {
        if let Some(deferral) = self.deferral() {
            return self.resume_deferral(deferral);
        }
        self.phase = AgentPhase::Offered;
        if let Some(attempt) = &mut self.journal.attempt {
            attempt.number = attempt.number.saturating_add(1);
        }
        self.save_journal();
    }

    /// Without a journal, the selector alone remembers that the other slot's image came to
    /// nothing. Forgotten, it would be fetched and tried again, and its journal lost again.
    fn distrust_given_up(&mut self, facts: &BootFacts) {
        use EntryState::{Aborted, Invalid, WornOut};
        if matches!(facts.other_entry, Invalid | Aborted | WornOut)
            && let Some(image) = facts.other_image
        {
            self.journal.bad_images.add(image, None);
            self.save_journal();
        }
    }

    /// Without a journal, nobody knows any more that what runs was about to be confirmed: its
    /// signer's floor rises now.
    fn trust_what_stays(&mut self) {
        if self.running_stays {
            self.effects.push(Effect::RaiseFloor(self.running.sha256));
        }
    }

    /// What runs without an attempt is what stays, whoever put it there.
    fn adopt_running(&mut self) {
        if self.journal.confirmed != Some(self.running.sha256) {
            self.remember_confirmed();
            self.save_journal();
        }
    }

    /// Confirmed firmware vanished below us, as when power failed inside the bootloader.
    fn report_reverted(&mut self) {
        let reverted = self.journal.confirmed;
        let reason = Some(Reason::RevertedAfterConfirm);
        self.log(
            LogLevel::Error,
            "OTA_UPDATE_FAILED",
            "confirmed firmware was replaced by its predecessor",
            reason,
        );
        if let Some(last) = self.journal.last.as_mut().filter(|last| last.sha256 == reverted) {
            let outcome = Outcome::RolledBack;
            *last = Ended { outcome, reason, ..last.clone() };
            self.journal.last_still_wished = true;
            self.settling = Settling::UntilReported;
        }
        self.journal.confirmed = Some(self.running.sha256);
        self.journal.previous = None;
        self.save_journal();
    }
}

/// Settings are a JSON object; anything else was lost.
fn read_settings(bytes: &[u8]) -> (Map<alloc::string::String, Value>, Option<Reason>) {
    if bytes.is_empty() {
        return (Map::new(), None);
    }
    match serde_json::from_slice(bytes) {
        Ok(settings) => (settings, None),
        Err(_) => (Map::new(), Some(Reason::StorageUnreadable)),
    }
}
