//! The trial boot: reach the broker, let the product test itself, then stay or go back.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason};

use super::{AgentPhase, Step};
use crate::{Effect, EntryState, ResetCause, Stage};

impl Step<'_> {
    /// Whether the attempt under way is about the firmware that runs.
    pub(super) fn attempt_runs(&self) -> bool {
        let target =
            self.agent.journal.attempt.as_ref().and_then(|attempt| attempt.target.as_ref());
        target.is_some_and(|target| target.sha256 == self.agent.running.sha256)
    }

    /// What runs is new, and has to show that it works.
    pub(super) fn begin_trial(&mut self, entry: EntryState) {
        // Whatever its entry says, as where power went in the bootloader's own write of it.
        self.agent.running_stays = false;
        if self.attempt_runs()
            && let Some(attempt) = &mut self.agent.journal.attempt
        {
            if attempt.stage == Stage::Trial && entry != EntryState::PendingVerify {
                // The bootloader would start it for ever.
                attempt.arms = attempt.arms.saturating_add(1);
            }
            attempt.stage = Stage::Trial;
            self.save_journal();
        }
        let until_ms = self.agent.now.uptime_ms.saturating_add(self.agent.config.broker_limit_ms);
        self.agent.phase = AgentPhase::Trial { until_ms };
        self.log(LogLevel::Info, None, &["trial boot: looking for the broker"], None);
    }

    /// The shadow answered. Only the first answer of a trial matters.
    pub(super) fn broker_reached(&mut self) {
        if matches!(self.agent.phase, AgentPhase::Trial { .. }) {
            self.begin_self_test();
        }
    }

    pub(super) fn begin_self_test(&mut self) {
        let until_ms =
            self.agent.now.uptime_ms.saturating_add(self.agent.config.self_test_limit_ms);
        self.agent.phase = AgentPhase::SelfTest { until_ms };
        (self.out)(Effect::RunSelfTest);
    }

    pub(super) fn self_test_ended(&mut self, result: Result<(), Reason>) {
        if !matches!(self.agent.phase, AgentPhase::SelfTest { .. }) {
            return;
        }
        match result {
            Ok(()) => {
                self.agent.phase = AgentPhase::Confirming;
                (self.out)(Effect::ConfirmSlot);
            }
            Err(reason) => self.roll_back(reason),
        }
    }

    pub(super) fn slot_confirmed(&mut self, result: Result<(), Reason>) {
        if self.agent.phase != AgentPhase::Confirming {
            return;
        }
        match result {
            Ok(()) => self.keep_running(),
            Err(reason) => self.roll_back(reason),
        }
    }

    /// The running slot is marked as good, durably.
    pub(super) fn keep_running(&mut self) {
        self.agent.running_stays = true;
        if self.attempt_runs() {
            self.finish(Outcome::Confirmed, None);
            return;
        }
        // Trial firmware nobody asked for, by cable or after a lost journal.
        self.remember_confirmed();
        self.save_journal();
        self.agent.phase = match self.agent.journal.attempt {
            Some(_) => AgentPhase::Offered,
            None => AgentPhase::Idle,
        };
        self.follow_wish();
    }

    /// Goes back to the old firmware. The verdict is durable before the slot is given up,
    /// so that the old firmware can say why it runs again.
    pub(super) fn roll_back(&mut self, reason: Reason) {
        self.agent.phase = AgentPhase::RollingBack;
        self.log(
            LogLevel::Error,
            "OTA_UPDATE_FAILED",
            &["going back: ", reason.name()],
            Some(reason),
        );
        if self.attempt_runs()
            && let Some(attempt) = &mut self.agent.journal.attempt
        {
            // One that was found before is the right one.
            attempt.verdict.get_or_insert(reason);
            attempt.stage = Stage::Trial;
            self.save_journal();
        }
        (self.out)(Effect::RollBack);
    }

    /// At a boot: what runs came to nothing before.
    pub(super) fn roll_back_at_boot(&mut self, reset: ResetCause) {
        let reason = match reset {
            _ if !self.attempt_runs() => Reason::RevertedAfterConfirm,
            ResetCause::PowerOn => Reason::PowerLostInTrial,
            ResetCause::Watchdog => Reason::SelfTestTimedOut,
            ResetCause::Panic | ResetCause::Software => Reason::FirmwareCrashed,
        };
        self.roll_back(reason);
    }

    /// There is nothing to go back to. Firmware that failed and runs can still be replaced;
    /// firmware that restarts for ever cannot.
    pub(super) fn roll_back_failed(&mut self, reason: Reason) {
        if self.agent.phase != AgentPhase::RollingBack {
            return;
        }
        self.log(
            LogLevel::Error,
            "OTA_UPDATE_FAILED",
            &["there is no other firmware to go back to"],
            Some(reason),
        );
        self.agent.phase = match self.agent.journal.attempt {
            Some(_) => AgentPhase::Offered,
            None => AgentPhase::Idle,
        };
        if self.attempt_runs() {
            let verdict = self.agent.journal.attempt.as_ref().and_then(|attempt| attempt.verdict);
            self.finish(Outcome::Failed, verdict.or(Some(reason)));
        }
        // Only to keep the bootloader from giving the slot up, so no answer is waited for; and
        // after the end is journalled, for an attempt on a confirmed slot counts as confirmed.
        (self.out)(Effect::ConfirmSlot);
        self.follow_wish();
    }
}
