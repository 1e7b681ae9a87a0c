//! From a wish to an armed slot, with tries and back-off.

use otaru_release::CHUNK_BYTES;
use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Phase, Reason};

use super::link::Link;
use super::{AgentPhase, Core, Meter, Settling, Step};
use crate::budget::{is_exhausting, retries_allowed, starts_over};
use crate::journal::Ended;
use crate::json::Decimal;
use crate::{Attempt, Before, Effect, Fault, Label, Stage, Target, Tries, Wanted, full_jitter};

impl Step<'_> {
    /// Fetches and checks the manifest; everything else follows from its answer.
    pub(super) fn begin_fetch(&mut self) {
        let Some(attempt) = &self.agent.journal.attempt else { return };
        let wanted = Wanted {
            version: attempt.version.clone(),
            sha256: attempt.wished_sha256,
            update: attempt.update.clone(),
            running_sequence: self.agent.running.sequence,
            security_floor: self
                .agent
                .journal
                .security_floor
                .max(self.agent.running.security_counter),
        };
        self.agent.phase = AgentPhase::Preflight;
        self.got_further();
        (self.out)(Effect::CheckManifest(wanted));
        self.tell();
    }

    pub(super) fn manifest_checked(&mut self, result: Result<Target, Fault>) {
        if self.agent.phase != AgentPhase::Preflight {
            return;
        }
        let target = match result {
            Ok(target) => target,
            Err(fault) => return self.fault(fault),
        };
        let Some(attempt) = &mut self.agent.journal.attempt else { return };
        let is_another =
            attempt.target.as_ref().is_some_and(|before| before.sha256 != target.sha256);
        if is_another {
            attempt.arms = 0;
        }
        attempt.target = Some(target.clone());
        // That of a product goes with its answer.
        attempt.deferral = attempt.deferral.filter(|wait| retries_allowed(wait.reason) == 0);
        // Fetched already, it is only looked at again before the product is asked.
        let is_there =
            !is_another && attempt.deferral.is_some_and(|wait| wait.before == Before::Restart);
        if target.sha256 == self.agent.running.sha256 {
            return self.relabel(target);
        }
        if self.agent.journal.bad_images.blocks(&target.sha256, attempt.update.as_ref()) {
            return self.finish(Outcome::Failed, Some(Reason::ImageOnBadList));
        }
        self.save_journal();
        match is_there {
            true => self.download(),
            false => self.ask_product(Before::Download),
        }
    }

    pub(super) fn download(&mut self) {
        let target = self.agent.journal.attempt.as_ref().and_then(|attempt| attempt.target.clone());
        let Some(target) = target else { return };
        let total = target.size_bytes;
        let from_start = core::mem::take(&mut self.agent.meter.start_over);
        self.agent.phase =
            AgentPhase::Downloading { done: self.agent.meter.done.min(total), total };
        self.got_further();
        (self.out)(Effect::Download { target, from_start });
        self.tell();
    }

    /// Another name for the image that runs: nothing to install.
    fn relabel(&mut self, target: Target) {
        self.agent.running.label = Label::from(target.version.as_str()).ok();
        self.agent.running.label_is_certain = true;
        self.agent.running.sequence = target.sequence;
        (self.out)(Effect::AdoptManifest(target));
        self.finish(Outcome::Confirmed, None);
    }

    pub(super) fn bytes_read(&mut self, bytes: u64) {
        let AgentPhase::Downloading { done, total } = self.agent.phase else { return };
        let bytes = bytes.min(total);
        if bytes == done {
            // What is right already comes again, from a server that knows no ranges.
            self.got_further();
        }
        if bytes <= done {
            return;
        }
        self.agent.phase = AgentPhase::Downloading { done: bytes, total };
        self.agent.meter.done = bytes;
        self.got_further();
        // The first of a boot may all have been there before.
        let best = self.agent.meter.best.replace(bytes);
        match best {
            Some(best) if best >= bytes => self.agent.meter.best = Some(best),
            Some(best) if whole_chunks(best, total) < whole_chunks(bytes, total) => {
                self.renew_tries();
            }
            _ => {}
        }
        self.tell_bytes();
    }

    fn got_further(&mut self) {
        let Core { config, now, meter, .. } = &mut *self.agent;
        meter.stalls_at_ms = now.uptime_ms.saturating_add(config.stall_limit_ms);
    }

    /// Whatever the host is at, it comes to nothing.
    pub(super) fn stalled(&mut self) {
        (self.out)(Effect::StopTransfer);
        self.fault(Reason::DownloadStalled.into());
    }

    /// Once after each fault: a boot finds none of the tries that were made before a chunk that it
    /// keeps.
    fn renew_tries(&mut self) {
        let Some(attempt) = &mut self.agent.journal.attempt else { return };
        if core::mem::take(&mut attempt.tries) != Tries::default() {
            self.save_journal();
        }
    }

    pub(super) fn download_ended(&mut self, result: Result<(), Fault>) {
        if !matches!(self.agent.phase, AgentPhase::Downloading { .. }) {
            return;
        }
        match result {
            Ok(()) => self.verify_slot(),
            Err(fault) => self.fault(fault),
        }
    }

    pub(super) fn verify_slot(&mut self) {
        let Some(target) = self.agent.journal.attempt.as_ref().and_then(|a| a.target.clone())
        else {
            return;
        };
        self.agent.phase = AgentPhase::Verifying;
        (self.out)(Effect::VerifySlot(target));
        self.tell();
    }

    pub(super) fn slot_verified(&mut self, result: Result<(), Reason>) {
        if self.agent.phase != AgentPhase::Verifying {
            return;
        }
        if let Err(reason) = result {
            return self.fault(reason.into());
        }
        self.ask_product(Before::Restart);
    }

    /// Reads the shadow before anything is armed: firmware on trial that does not reach the server
    /// goes back, and would be blamed for an outage that was there before.
    pub(super) fn reach_server(&mut self) {
        if self.agent.link != Link::Up {
            return self.fault(Reason::LinkDownAtInstall.into());
        }
        let until_ms = self.agent.now.uptime_ms.saturating_add(self.agent.config.answer_limit_ms);
        self.agent.phase = AgentPhase::Reaching { until_ms };
        self.ask();
    }

    /// The server was not reached.
    pub(super) fn reach_failed(&mut self, reason: Reason) {
        if matches!(self.agent.phase, AgentPhase::Reaching { .. }) {
            self.fault(reason.into());
        }
    }

    /// Arms the trial boot, if that is all that was left to do.
    pub(super) fn server_reached(&mut self) {
        let is_up = self.agent.link == Link::Up;
        if is_up && matches!(self.agent.phase, AgentPhase::Reaching { .. }) {
            self.arm();
        }
    }

    fn arm(&mut self) {
        let Some(attempt) = &mut self.agent.journal.attempt else { return };
        let Some(target) = attempt.target.clone() else { return };
        attempt.deferral = None;
        attempt.stage = Stage::Staged;
        attempt.arms = attempt.arms.saturating_add(1);
        self.agent.phase = AgentPhase::Staged;
        // Before the selector's record: new firmware must find its own attempt.
        self.save_journal();
        (self.out)(Effect::ArmTrialBoot(target));
    }

    pub(super) fn trial_boot_armed(&mut self, result: Result<(), Reason>) {
        if self.agent.phase != AgentPhase::Staged {
            return;
        }
        match result {
            Ok(()) => {
                self.agent.phase = AgentPhase::Activating;
                self.tell();
                (self.out)(Effect::Restart);
            }
            Err(reason) => self.fault(reason.into()),
        }
    }

    /// Something went wrong before the restart: tries again within the budget, or gives up.
    pub(super) fn fault(&mut self, fault: Fault) {
        let Some(attempt) = &mut self.agent.journal.attempt else { return };
        let allowed = retries_allowed(fault.reason);
        attempt.deferral = None;
        attempt.stage = Stage::Fetching;
        let (reason, version) = (fault.reason, attempt.version.clone());
        let tries = attempt.tries.add(reason);
        let rests = tries > allowed && attempt.tries.rest(reason);
        let number = Decimal::new(tries.into());
        let message =
            ["update to ", version.as_str(), ": ", reason.name(), " (try ", number.as_str(), ")"];
        self.log(LogLevel::Error, "OTA_UPDATE_FAILED", &message, Some(reason));
        let delay = if tries <= allowed {
            self.delay_ms(fault, tries)
        } else if rests {
            self.agent.config.rest_ms()
        } else {
            let last = if is_exhausting(reason) { Reason::RetriesExhausted } else { reason };
            return self.finish(Outcome::Failed, Some(last));
        };
        self.await_retry(fault, delay);
    }

    fn delay_ms(&self, fault: Fault, tries: u32) -> u64 {
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let jitter = full_jitter(base, cap, tries - 1, self.agent.now.random);
        fault.retry_after_ms.map_or(jitter, |asked| asked.min(cap).max(jitter))
    }

    fn await_retry(&mut self, fault: Fault, delay: u64) {
        self.put_off(Before::Download, delay, fault.reason);
        let until_ms = self.agent.now.uptime_ms.saturating_add(delay);
        self.agent.phase = AgentPhase::AwaitRetry { until_ms, reason: fault.reason };
        self.tell();
        // The next try may begin below the bytes this one reached, so it has its own number.
        self.agent.meter.done = 0;
        self.agent.meter.start_over |= starts_over(fault.reason);
        if let Some(attempt) = &mut self.agent.journal.attempt {
            attempt.number = attempt.number.saturating_add(1);
        }
        self.save_journal();
    }

    /// What a try waited for is there.
    pub(super) fn try_now(&mut self, reason: Reason) {
        self.agent.phase = AgentPhase::AwaitRetry { until_ms: self.agent.now.uptime_ms, reason };
    }

    /// Ends the attempt. What it came to is journalled before anybody is told.
    pub(super) fn finish(&mut self, outcome: Outcome, reason: Option<Reason>) {
        if outcome == Outcome::Confirmed {
            self.tell_phase(Phase::Confirmed);
        }
        let journal = &mut self.agent.journal;
        let Some(attempt) = &journal.attempt else { return };
        let sha256 = attempt.sha256();
        match (outcome, sha256) {
            (Outcome::Confirmed, _) => {
                let counter = attempt.target.as_ref().map_or(0, |target| target.security_counter);
                journal.security_floor = journal.security_floor.max(counter);
                journal.bad_images.forget(&self.agent.running.sha256);
                self.remember_confirmed();
            }
            (Outcome::RolledBack, Some(sha256)) => {
                journal.bad_images.add(sha256, attempt.update.clone());
            }
            _ => {}
        }
        let Some(attempt) = self.agent.journal.attempt.take() else { return };
        let Attempt { update, version, .. } = attempt;
        let went_wrong = !matches!(outcome, Outcome::Confirmed | Outcome::Cancelled);
        let code = went_wrong.then_some("OTA_UPDATE_FAILED");
        let level = if code.is_some() { LogLevel::Error } else { LogLevel::Info };
        let message = ["update to ", version.as_str(), ": ", outcome.as_str()];
        self.log(level, code, &message, reason);
        self.agent.journal.last = Some(Ended { update, version, sha256, outcome, reason });
        // Taken back and made again, it is another wish. A host that calls a failure cancelled, or
        // a product that refuses, took nothing back.
        let is_taken_back = (outcome, reason) == (Outcome::Cancelled, Some(Reason::Cancelled));
        self.agent.journal.last_still_wished = !is_taken_back;
        self.agent.meter = Meter::default();
        self.agent.phase = AgentPhase::Idle;
        self.agent.settling = Settling::UntilReported;
        self.save_journal();
        if outcome == Outcome::Confirmed {
            // Nothing takes the confirmation back any more. Cut off here, the next boot raises it.
            (self.out)(Effect::RaiseFloor(self.agent.running.sha256));
        }
    }

    pub(super) fn remember_confirmed(&mut self) {
        let floor = self.agent.journal.security_floor.max(self.agent.running.security_counter);
        self.agent.journal.security_floor = floor;
        let running = self.agent.running.sha256;
        if self.agent.journal.confirmed != Some(running) {
            self.agent.journal.previous = self.agent.journal.confirmed.replace(running);
            // Another image than the one that was gone back to: flashed by cable, say.
            let last = self.agent.journal.last.as_ref();
            if last.is_some_and(|last| last.outcome == Outcome::RolledBack) {
                self.agent.journal.last = None;
            }
        }
    }
}

/// How many chunks of an image are whole with its first bytes.
fn whole_chunks(bytes: u64, total: u64) -> u64 {
    bytes / CHUNK_BYTES as u64 + u64::from(bytes == total)
}
