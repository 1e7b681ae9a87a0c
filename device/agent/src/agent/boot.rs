//! Power-on: from stored bytes and boot facts to a running agent.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason};

use super::link::Link;
use super::{
    Agent, AgentPhase, Core, Meter, Reporter, Screen, Settings, Settling, Step, TrustWatch,
    settings,
};
use crate::boot::{is_entry_of_trial, lost_its_confirmation};
use crate::journal::Ended;
use crate::json::Json;
use crate::{
    AgentConfig, BootFacts, Effect, EntryState, Journal, Moment, NextAction, Stage, reconcile,
};

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

impl<const ROOM: usize> Agent<ROOM> {
    /// Starts the agent after a boot; what the host has to do for it comes before those of the
    /// first step.
    ///
    /// Storage that cannot be read costs what was in it, never the device: it is
    /// logged with its reason, and journal or settings begin empty.
    pub fn start(
        config: AgentConfig,
        facts: &BootFacts,
        stored: Stored<'_>,
        now: Moment,
        carry_out: &mut dyn FnMut(Effect<'_>),
    ) -> Agent<ROOM> {
        const { assert!(ROOM >= 4, "room for an empty object in each half") };
        let mut agent = Agent { core: Core::new(config, facts, now), room: [0; ROOM] };
        let (core, room) = (&mut agent.core, agent.room.as_mut_slice());
        let journal_lost = match Journal::from_bytes(stored.journal) {
            Ok(journal) => {
                core.journal = journal;
                None
            }
            Err(error) => Some(error.reason()),
        };
        let settings_lost = restore_settings(room, &mut core.settings, stored.settings);
        let mut step = Step { agent: core, room, heard: None, out: carry_out };
        for reason in [stored.recreated, journal_lost, settings_lost].into_iter().flatten() {
            let message = ["stored state was lost and begins anew: ", reason.name()];
            step.log(LogLevel::Error, "IO_FAILED", &message, Some(reason));
        }
        if stored.recreated.or(journal_lost).is_some() {
            step.distrust_given_up(facts);
            step.trust_what_stays();
        }
        step.restore_settings();
        step.act_on_boot(facts);
        agent
    }
}

impl Core {
    /// What is known before anything that was stored.
    fn new(config: AgentConfig, facts: &BootFacts, now: Moment) -> Core {
        Core {
            config,
            running: facts.running.clone(),
            running_stays: !is_entry_of_trial(facts),
            journal: Journal::default(),
            phase: AgentPhase::Idle,
            settling: Settling::Settled,
            shadow: Default::default(),
            link: Link::Down,
            reporter: Reporter::default(),
            settings: Settings::default(),
            meter: Meter::default(),
            screen: Screen::default(),
            trust: TrustWatch::default(),
            now,
        }
    }
}

impl Step<'_> {
    fn act_on_boot(&mut self, facts: &BootFacts) {
        if lost_its_confirmation(&self.agent.journal, facts) {
            self.agent.running_stays = true;
            (self.out)(Effect::ConfirmSlot);
        }
        let action = reconcile(&self.agent.journal, facts);
        if action == NextAction::StartTrial && facts.running_entry == EntryState::New {
            let message = ["the bootloader left the trial unmarked: it cannot go back by itself"];
            let reason = Some(Reason::RollbackUnsupported);
            self.log(LogLevel::Warn, "OTA_UPDATE_FAILED", &message, reason);
        }
        match action {
            NextAction::FollowWish => self.adopt_running(facts.running_entry),
            NextAction::ResumeFetch => {
                if facts.running_entry == EntryState::Valid {
                    self.adopt_running(facts.running_entry);
                }
                self.resume_fetch(facts.has_crashed());
            }
            NextAction::ArmAgain => self.fetch_again(),
            NextAction::StartTrial => self.begin_trial(facts.running_entry),
            NextAction::RollBackNow => self.roll_back_at_boot(facts.reset),
            NextAction::ReportConfirmed => {
                self.agent.running_stays = true;
                // Power went behind the confirmation, or in it: said twice, it stays.
                (self.out)(Effect::ConfirmSlot);
                self.finish(Outcome::Confirmed, None);
            }
            NextAction::ReportRolledBack(reason) => {
                self.finish(Outcome::RolledBack, Some(reason));
            }
            NextAction::ReportFailed(reason) => self.finish(Outcome::Failed, Some(reason)),
            NextAction::ReportReverted => self.report_reverted(),
        }
    }

    fn resume_fetch(&mut self, has_crashed: bool) {
        // While it waits nothing is done for the update: a crash is another fault.
        let wait = self.agent.deferral().filter(|wait| !has_crashed || wait.left_ms > 0);
        if let Some(wait) = wait {
            return self.resume_wait(wait);
        }
        // What crashes at every download must not do so for ever.
        if has_crashed {
            return self.fault(Reason::FirmwareCrashed.into());
        }
        self.agent.phase = AgentPhase::Offered;
        if let Some(attempt) = &mut self.agent.journal.attempt {
            attempt.number = attempt.number.saturating_add(1);
        }
        self.save_journal();
    }

    /// Power went in the trial, or before it. What is in the slot is looked at as after any cut;
    /// from here on a restart is not the trial's any more.
    fn fetch_again(&mut self) {
        if let Some(attempt) = &mut self.agent.journal.attempt {
            attempt.stage = Stage::Fetching;
        }
        self.resume_fetch(false);
    }

    /// Without a journal, the selector alone remembers that the other slot's image came to
    /// nothing. Forgotten, it would be fetched and tried again, and its journal lost again.
    fn distrust_given_up(&mut self, facts: &BootFacts) {
        use EntryState::{Aborted, Invalid, WornOut};
        if matches!(facts.other_entry, Invalid | Aborted | WornOut)
            && let Some(image) = facts.other_image
        {
            self.agent.journal.bad_images.add(image, None);
            self.save_journal();
        }
    }

    /// Without a journal, nobody knows any more that what runs was about to be confirmed: its
    /// signer's floor rises now.
    fn trust_what_stays(&mut self) {
        if self.agent.running_stays {
            (self.out)(Effect::RaiseFloor(self.agent.running.sha256));
        }
    }

    /// What runs without an attempt is what stays, whoever put it there.
    fn adopt_running(&mut self, entry: EntryState) {
        let confirmed = self.agent.journal.confirmed;
        if confirmed == Some(self.agent.running.sha256) {
            return;
        }
        if confirmed.is_some() && entry == EntryState::Valid {
            // Power may have gone in its confirmation, which read as nothing until its update had
            // ended: said twice, it stays.
            (self.out)(Effect::ConfirmSlot);
        }
        self.remember_confirmed();
        self.save_journal();
    }

    /// Confirmed firmware vanished below us, as when power failed inside the bootloader.
    fn report_reverted(&mut self) {
        let reverted = self.agent.journal.confirmed;
        let reason = Some(Reason::RevertedAfterConfirm);
        self.log(
            LogLevel::Error,
            "OTA_UPDATE_FAILED",
            &["confirmed firmware was replaced by its predecessor"],
            reason,
        );
        if let Some(last) = self.agent.journal.last.as_mut().filter(|last| last.sha256 == reverted)
        {
            let outcome = Outcome::RolledBack;
            *last = Ended { outcome, reason, ..last.clone() };
            self.agent.journal.last_still_wished = true;
            self.agent.settling = Settling::UntilReported;
        }
        self.agent.journal.confirmed = Some(self.agent.running.sha256);
        self.agent.journal.previous = None;
        self.save_journal();
    }
}

/// Settings are a JSON object; anything else was lost, and what has no room.
fn restore_settings(room: &mut [u8], settings: &mut Settings, bytes: &[u8]) -> Option<Reason> {
    let kept = if bytes.is_empty() { Some(Json::EMPTY) } else { Json::parse(bytes) };
    let kept = kept.filter(|kept| kept.is_object());
    let has_room = settings::restore(room, settings, kept.unwrap_or(Json::EMPTY));
    match (kept, has_room) {
        (None, _) => Some(Reason::StorageUnreadable),
        (_, false) => Some(Reason::StorageFull),
        _ => None,
    }
}
