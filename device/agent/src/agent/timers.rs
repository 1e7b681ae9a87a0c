//! Everything that happens because time passed.

use otaru_wire::Reason;

use super::link::Link;
use super::{AgentPhase, Core, Step};
use crate::WithoutBroker;
use crate::budget::ends_with_the_link;

impl Core {
    /// The uptime at which [`Input::TimePassed`](crate::Input::TimePassed) is wanted next; `None` if never.
    pub(super) fn wake_at_ms(&self) -> Option<u64> {
        let limit = self.config.answer_limit_ms;
        let phase = match self.phase {
            AgentPhase::AwaitRetry { .. } if self.waits_for_the_link() => None,
            AgentPhase::Deferred { .. } => self.deferral_wakes_at_ms(),
            AgentPhase::AwaitRetry { until_ms, .. }
            | AgentPhase::Asking { until_ms, .. }
            | AgentPhase::Trial { until_ms }
            | AgentPhase::SelfTest { until_ms } => Some(until_ms),
            _ => None,
        };
        let asked = self.reporter.asked_at_ms.map(|at| at.saturating_add(limit));
        let reported = match (self.link, &self.reporter.in_flight) {
            (_, Some(report)) => Some(report.sent_at_ms.saturating_add(limit)),
            (Link::Up, None) => {
                Some(self.reporter.not_before_ms).filter(|&at| at > self.now.uptime_ms)
            }
            _ => None,
        };
        let (ask, told) = (self.reporter.ask_at_ms, self.meter.due_at_ms);
        [phase, asked, ask, reported, told, self.trust.due_at_ms, self.settings.next_retry_ms()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the next try would only meet the same dead link. The try waits, and counts
    /// nothing, until the shadow was read again.
    fn waits_for_the_link(&self) -> bool {
        let AgentPhase::AwaitRetry { reason, .. } = self.phase else { return false };
        self.link != Link::Up && ends_with_the_link(reason)
    }
}

impl Step<'_> {
    /// Carries out what is due.
    pub(super) fn run_timers(&mut self) {
        let now = self.agent.now.uptime_ms;
        match self.agent.phase {
            AgentPhase::AwaitRetry { .. } if self.agent.waits_for_the_link() => {}
            AgentPhase::AwaitRetry { until_ms, .. } if until_ms <= now => self.begin_fetch(),
            AgentPhase::Asking { before, until_ms } if until_ms <= now => {
                self.question_unanswered(before);
            }
            AgentPhase::Deferred { .. } => self.mind_deferral(),
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
