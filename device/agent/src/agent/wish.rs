//! Following what desired names.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason, ReleaseVersion};

use super::link::Link;
use super::{AgentPhase, Core, Settling, Step, log};
use crate::{Attempt, Effect, Tries};

impl Step<'_> {
    /// Begins, keeps or cancels according to desired. Until arming; later is too late.
    pub(super) fn follow_wish(&mut self) {
        if self.agent.link != Link::Up
            || self.agent.settling != Settling::Settled
            || self.is_past_arming()
        {
            return;
        }
        let wish = &self.agent.shadow.wish;
        let Some(attempt) = &mut self.agent.journal.attempt else { return self.consider() };
        // Taken back, an update to the name of what runs leaves that name behind.
        let is_taken_back = attempt.update.is_some()
            && wish.update.is_none()
            && self.agent.running.label.as_deref() == Some(attempt.version.as_str());
        if is_taken_back || !wish.names(attempt) {
            (self.out)(Effect::StopTransfer);
            return self.finish(Outcome::Cancelled, Some(Reason::Cancelled));
        }
        if let Some(update) = &wish.update
            && attempt.update.as_ref() != Some(&update.id)
        {
            attempt.update = Some(update.id.clone());
            attempt.wished_sha256 = Some(update.sha256);
            // Somebody asked anew: what was said before does not hold.
            attempt.tries = Tries::default();
            attempt.arms = 0;
            if let Some(wait) = &mut attempt.deferral {
                (wait.left_ms, wait.until_ms) = (0, None);
            }
            self.save_journal();
            self.decision_changed();
            if let AgentPhase::AwaitRetry { reason, .. } = self.agent.phase {
                self.try_now(reason);
            }
        }
        if self.agent.phase == AgentPhase::Offered {
            self.begin_fetch();
        }
    }

    fn is_past_arming(&self) -> bool {
        !matches!(
            self.agent.phase,
            AgentPhase::Idle
                | AgentPhase::Offered
                | AgentPhase::Preflight
                | AgentPhase::Asking { .. }
                | AgentPhase::Deferred { .. }
                | AgentPhase::Downloading { .. }
                | AgentPhase::Verifying
                | AgentPhase::Reaching { .. }
                | AgentPhase::AwaitRetry { .. }
        )
    }

    fn consider(&mut self) {
        let Core { shadow, running, journal, .. } = &mut *self.agent;
        let wish = &shadow.wish;
        let (sha256, id) = (wish.sha256(), wish.update.as_ref().map(|update| &update.id));
        let differs = |version: &&ReleaseVersion| {
            running.label.as_deref() != Some(version.as_str())
                || sha256.is_some_and(|sha256| sha256 != running.sha256)
        };
        let Some(version) = wish.version.as_ref().filter(differs) else {
            // Whoever wished for it knows it by this name.
            running.label_is_certain |= wish.version.is_some();
            // Wished for again later, the last release may be tried again.
            if core::mem::take(&mut journal.last_still_wished) {
                self.save_journal();
            }
            return;
        };
        let ended = journal.last.as_ref().filter(|_| journal.last_still_wished);
        if ended.is_some_and(|last| last.version == *version && last.update.as_ref() == id) {
            return;
        }
        let message = ["update to ", version.as_str(), " begins"];
        log(self.out, LogLevel::Info, None, &message, None);
        journal.last_still_wished = false;
        journal.attempt = Some(Attempt::new(version.clone(), sha256, id.cloned()));
        self.save_journal();
        self.begin_fetch();
    }
}
