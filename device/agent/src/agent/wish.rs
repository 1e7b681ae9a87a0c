//! Following what desired names.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason};

use super::link::Link;
use super::{AgentPhase, Settling, Step};
use crate::shadow::Wish;
use crate::{Attempt, Effect};

impl Step<'_> {
    /// Begins, keeps or cancels according to desired. Until arming; later is too late.
    pub(super) fn follow_wish(&mut self) {
        if self.agent.link != Link::Up
            || self.agent.settling != Settling::Settled
            || self.is_past_arming()
        {
            return;
        }
        let wish = self.agent.shadow.wish.clone();
        match &mut self.agent.journal.attempt {
            None => self.consider(wish),
            Some(attempt) if wish.names(attempt) => {
                let id = wish.update.as_ref().map(|update| update.id.clone());
                if id.is_some() && id != attempt.update {
                    attempt.update = id;
                    attempt.wished_sha256 = wish.sha256();
                    self.save_journal();
                    // Somebody asked anew: what was said before does not hold.
                    self.decision_changed();
                }
                if self.agent.phase == AgentPhase::Offered {
                    self.begin_fetch();
                }
            }
            Some(_) => {
                (self.out)(Effect::StopTransfer);
                self.finish(Outcome::Cancelled, Some(Reason::Cancelled));
            }
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
                | AgentPhase::AwaitRetry { .. }
        )
    }

    fn consider(&mut self, wish: Wish) {
        let sha256 = wish.sha256();
        let id = wish.update.map(|update| update.id);
        let differs = |version: &otaru_wire::ReleaseVersion| {
            self.agent.running.label.as_deref() != Some(version.as_str())
                || sha256.is_some_and(|sha256| sha256 != self.agent.running.sha256)
        };
        let is_named = wish.version.is_some();
        let Some(version) = wish.version.filter(differs) else {
            // Whoever wished for it knows it by this name.
            self.agent.running.label_is_certain |= is_named;
            // Wished for again later, the last release may be tried again.
            if core::mem::take(&mut self.agent.journal.last_still_wished) {
                self.save_journal();
            }
            return;
        };
        let ended =
            self.agent.journal.last.as_ref().filter(|_| self.agent.journal.last_still_wished);
        if ended.is_some_and(|last| last.version == version && last.update == id) {
            return;
        }
        let message = ["update to ", version.as_str(), " begins"];
        self.log(LogLevel::Info, None, &message, None);
        self.agent.journal.last_still_wished = false;
        self.agent.journal.attempt = Some(Attempt::new(version, sha256, id));
        self.save_journal();
        self.begin_fetch();
    }
}
