//! Everything that happens because time passed.

use otaru_wire::Reason;

use super::link::Link;
use super::{AgentPhase, Core, Step};
use crate::WithoutBroker;

/// A time that does not come.
pub(super) const NEVER: u64 = u64::MAX;

impl Core {
    /// The uptime at which [`Input::TimePassed`](crate::Input::TimePassed) is wanted next; `None` if never.
    pub(super) fn wake_at_ms(&self) -> Option<u64> {
        let limit = self.config.answer_limit_ms;
        let mut wake_at = match self.phase {
            AgentPhase::AwaitRetry { .. } | AgentPhase::Deferred { .. } => {
                self.wait_wakes_at_ms().unwrap_or(NEVER)
            }
            AgentPhase::Asking { until_ms, .. }
            | AgentPhase::Reaching { until_ms }
            | AgentPhase::Trial { until_ms }
            | AgentPhase::SelfTest { until_ms } => until_ms,
            AgentPhase::Preflight | AgentPhase::Downloading { .. } => self.meter.stalls_at_ms,
            _ => NEVER,
        };
        let mut also = |at: u64| wake_at = wake_at.min(at);
        also(self.reporter.asked_at_ms.unwrap_or(NEVER).saturating_add(limit));
        also(match (self.link, &self.reporter.in_flight) {
            (_, Some(report)) => report.sent_at_ms.saturating_add(limit),
            (Link::Up, None) if self.reporter.not_before_ms > self.now.uptime_ms => {
                self.reporter.not_before_ms
            }
            _ => NEVER,
        });
        also(self.reporter.ask_at_ms.unwrap_or(NEVER));
        also(self.meter.due_at_ms.unwrap_or(NEVER));
        also(self.trust.due_at_ms.unwrap_or(NEVER));
        also(self.settings.next_retry_ms());
        (wake_at < NEVER).then_some(wake_at)
    }
}

impl Step<'_> {
    /// Carries out what is due.
    pub(super) fn run_timers(&mut self) {
        let now = self.agent.now.uptime_ms;
        match self.agent.phase {
            AgentPhase::Asking { before, until_ms } if until_ms <= now => {
                self.question_unanswered(before);
            }
            AgentPhase::Reaching { until_ms } if until_ms <= now => {
                self.reach_failed(Reason::LinkDownAtInstall);
            }
            AgentPhase::AwaitRetry { .. } | AgentPhase::Deferred { .. } => self.mind_wait(),
            AgentPhase::Preflight | AgentPhase::Downloading { .. }
                if self.agent.meter.stalls_at_ms <= now =>
            {
                self.stalled();
            }
            AgentPhase::Trial { until_ms } if until_ms <= now => {
                match self.agent.config.without_broker {
                    WithoutBroker::RollBack => self.roll_back(Reason::BrokerUnreachable),
                    WithoutBroker::Keep => self.begin_self_test(),
                }
            }
            AgentPhase::SelfTest { until_ms } if until_ms <= now => {
                self.roll_back(Reason::SelfTestTimedOut);
            }
            _ => {}
        }
        let overdue = |at: u64| at.saturating_add(self.agent.config.answer_limit_ms) <= now;
        let read_overdue = self.agent.reporter.asked_at_ms.is_some_and(overdue);
        let report_overdue =
            self.agent.reporter.in_flight.as_ref().is_some_and(|report| overdue(report.sent_at_ms));
        if read_overdue {
            self.answer_overdue();
        }
        if self.agent.reporter.ask_at_ms.is_some_and(|at| at <= now) {
            self.ask();
        }
        if report_overdue {
            self.report_failed(&["the report was not answered"], Reason::LinkDownAtReport);
        }
        self.retry_settings();
        self.check_trust_if_due();
        if self.agent.meter.due_at_ms.is_some_and(|at| at <= now) {
            self.agent.meter.due_at_ms = None;
            self.tell();
        }
    }
}
