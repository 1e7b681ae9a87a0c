//! Asking the product, and waiting when it says later, or between two tries.
//!
//! A deferral is no failure and no try. It ends when its time has come, when the product
//! wants to be asked, or when desired names something else. Asking once too often is harmless,
//! so every doubt about the time is settled that way.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Outcome, Reason};

use super::link::Link;
use super::{AgentPhase, Core, Step};
use crate::budget::retries_allowed;
use crate::json::Decimal;
use crate::{Before, Decision, Deferral, Effect, Question};

/// How long a question that nobody answered is put off. Going on unasked could do harm.
const UNANSWERED_WAIT_MS: u64 = 3_600_000;

/// How often a wait is written down and told again: what a restart, or a lost message, costs.
const KEEP_EVERY_MS: u64 = 3_600_000;

/// What is written down of a wait that is over while no try has begun, as without a link. Nothing
/// left says that one has: only where one begins may that be written.
const OVER_MS: u64 = 1;

impl Step<'_> {
    /// Asks the product whether to go on, if it wants to be asked, at a time that suits.
    pub(super) fn ask_product(&mut self, before: Before) {
        if before == Before::Restart && self.agent.link != Link::Up {
            return self.fault(Reason::LinkDownAtInstall.into());
        }
        let target =
            self.agent.journal.attempt.as_ref().and_then(|attempt| attempt.target.as_ref());
        let Some(target) = target else { return };
        let window = self.agent.config.restart_window.zip(self.agent.now.wall_ms);
        let wait_ms = window.map_or(0, |(window, wall_ms)| window.wait_ms(wall_ms));
        if before == Before::Restart && wait_ms > 0 {
            return self.defer(before, wait_ms, Reason::DeferredOnDevice);
        }
        if !self.agent.config.asks_product {
            return self.go_on(before);
        }
        let (version, size_bytes) = (target.version.clone(), target.size_bytes);
        let until_ms = self.agent.now.uptime_ms.saturating_add(self.agent.config.decision_limit_ms);
        self.agent.phase = AgentPhase::Asking { before, until_ms };
        (self.out)(Effect::AskProduct(Question { before, version, size_bytes }));
    }

    pub(super) fn product_decided(&mut self, decision: Decision) {
        let AgentPhase::Asking { before, .. } = self.agent.phase else { return };
        match decision {
            Decision::Now => self.go_on(before),
            Decision::Later { wait_ms, hold } => self.defer(before, wait_ms, hold.reason()),
            Decision::Refuse => self.finish(Outcome::Cancelled, Some(Reason::RefusedOnDevice)),
        }
    }

    fn go_on(&mut self, before: Before) {
        match before {
            Before::Download => {
                let attempt = self.agent.journal.attempt.as_mut();
                if attempt.is_some_and(|attempt| attempt.deferral.take().is_some()) {
                    self.save_journal();
                }
                self.download();
            }
            Before::Restart => self.reach_server(),
        }
    }

    fn defer(&mut self, before: Before, wait_ms: u64, reason: Reason) {
        let config = &self.agent.config;
        // A product that always says later would wear out its flash.
        let left_ms = wait_ms.min(config.defer_max_ms).max(config.retry_base_ms);
        self.put_off(before, left_ms, reason);
        let Some(attempt) = &self.agent.journal.attempt else { return };
        let (version, left) = (attempt.version.clone(), Decimal::new(left_ms));
        let until_ms = self.agent.now.uptime_ms.saturating_add(left_ms);
        self.agent.phase = AgentPhase::Deferred { until_ms, reason };
        self.save_journal();
        let message =
            ["update to ", version.as_str(), ": ", reason.name(), " for ", left.as_str(), " ms"];
        self.log(LogLevel::Info, None, &message, Some(reason));
        self.tell();
    }

    /// Writes down a wait with the journal that is saved next.
    pub(super) fn put_off(&mut self, before: Before, left_ms: u64, reason: Reason) {
        let left_ms = left_ms.max(OVER_MS);
        let until_ms =
            self.agent.now.wall_ms.map(|wall_ms| wall_ms.saturating_add(signed(left_ms)));
        if let Some(attempt) = &mut self.agent.journal.attempt {
            attempt.deferral = Some(Deferral { before, left_ms, until_ms, reason });
        }
    }

    /// After a boot the wait goes on where it was written down last. Between two tries, each boot
    /// that cannot tell how long it was without power halves it: a device that is on for minutes
    /// would never try again.
    pub(super) fn resume_wait(&mut self, Deferral { left_ms, until_ms, reason, .. }: Deferral) {
        let is_retry = retries_allowed(reason) > 0;
        let is_timed = until_ms.is_some() && self.agent.now.wall_ms.is_some();
        let is_halved = is_retry && !is_timed;
        let left_ms = if is_halved { left_ms / 2 } else { left_ms };
        self.keep_deferral(left_ms.max(OVER_MS));
        let Core { config, now, .. } = &*self.agent;
        let max = if is_retry { config.rest_ms() } else { config.defer_max_ms };
        let until_ms = now.uptime_ms.saturating_add(left_ms.min(max));
        self.agent.phase = match is_retry {
            true => AgentPhase::AwaitRetry { until_ms, reason },
            false => AgentPhase::Deferred { until_ms, reason },
        };
    }

    /// The product wants to be asked, whatever it said before.
    pub(super) fn decision_changed(&mut self) {
        match self.agent.phase {
            AgentPhase::Asking { before, .. } => {
                (self.out)(Effect::StopTransfer);
                self.ask_product(before);
            }
            AgentPhase::Reaching { .. } if self.agent.config.asks_product => {
                self.ask_product(Before::Restart);
            }
            AgentPhase::Deferred { reason, .. } => {
                self.agent.phase =
                    AgentPhase::Deferred { until_ms: self.agent.now.uptime_ms, reason };
                // With a link it goes on in this step, and that is what is written down.
                if self.agent.link != Link::Up {
                    self.keep_deferral(OVER_MS);
                }
            }
            _ => {}
        }
    }

    pub(super) fn question_unanswered(&mut self, before: Before) {
        (self.out)(Effect::StopTransfer);
        self.defer(before, UNANSWERED_WAIT_MS, Reason::DeferredOnDevice);
    }

    /// Asks or tries again when the time has come, and until then keeps what is left of it.
    pub(super) fn mind_wait(&mut self) {
        let now = self.agent.now.uptime_ms;
        if self.agent.link == Link::Up && self.agent.wait_ends_at_ms().is_some_and(|at| at <= now) {
            // A cut from here on finds a wait that is over, not the wait again.
            self.keep_deferral(0);
            // The release may have gone in the meantime, or its signer's key.
            return self.begin_fetch();
        }
        if self.agent.keep_at_ms().is_some_and(|at| at <= now)
            && let Some(until_ms) = self.agent.waits_until_ms()
        {
            self.keep_deferral(until_ms.saturating_sub(now).max(OVER_MS));
            self.tell();
        }
    }

    /// Writes down how much of the wait is left, unless that is written already. A time by the
    /// clock that is further ahead was written with a clock that was wrong, and comes down.
    fn keep_deferral(&mut self, left_ms: u64) {
        let ends_at = self.agent.now.wall_ms.map(|wall_ms| wall_ms.saturating_add(signed(left_ms)));
        let attempt = self.agent.journal.attempt.as_mut();
        let Some(deferral) = attempt.and_then(|attempt| attempt.deferral.as_mut()) else { return };
        let until_ms = deferral.until_ms.filter(|_| left_ms > OVER_MS);
        let until_ms = until_ms.map(|until_ms| ends_at.map_or(until_ms, |at| at.min(until_ms)));
        let kept = Deferral { left_ms, until_ms, ..*deferral };
        if *deferral != kept {
            *deferral = kept;
            self.save_journal();
        }
    }
}

impl Core {
    /// The uptime at which [`Step::mind_wait`] has something to do.
    pub(super) fn wait_wakes_at_ms(&self) -> Option<u64> {
        // Without a link a release could not be fetched, nor the new firmware prove itself.
        let ends = self.wait_ends_at_ms().filter(|_| self.link == Link::Up);
        ends.into_iter().chain(self.keep_at_ms()).min()
    }

    /// What the journal says about the wait under way.
    pub(super) fn deferral(&self) -> Option<Deferral> {
        self.journal.attempt.as_ref().and_then(|attempt| attempt.deferral)
    }

    /// The uptime at which the wait ends: by uptime, or by the clock where that is earlier, as
    /// after a time without power.
    pub(super) fn wait_ends_at_ms(&self) -> Option<u64> {
        let until_ms = self.waits_until_ms()?;
        let by_clock = self.deferral().and_then(|deferral| deferral.until_ms).zip(self.now.wall_ms);
        let by_clock = by_clock.map(|(until, wall)| {
            let left_ms = u64::try_from(until.saturating_sub(wall)).unwrap_or(0);
            self.now.uptime_ms.saturating_add(left_ms)
        });
        Some(by_clock.map_or(until_ms, |at| at.min(until_ms)))
    }

    fn waits_until_ms(&self) -> Option<u64> {
        match self.phase {
            AgentPhase::Deferred { until_ms, .. } | AgentPhase::AwaitRetry { until_ms, .. } => {
                Some(until_ms)
            }
            _ => None,
        }
    }

    fn keep_at_ms(&self) -> Option<u64> {
        let until_ms = self.waits_until_ms()?;
        let deferral = self.deferral().filter(|deferral| deferral.left_ms > OVER_MS)?;
        let kept_at_ms = until_ms.saturating_sub(deferral.left_ms);
        Some(kept_at_ms.saturating_add(KEEP_EVERY_MS))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
