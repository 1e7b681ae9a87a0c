//! Looking for newer root documents and for what the server says is newest, now and then.

use otaru_wire::payload::{LogLevel, TrustReport};

use super::Step;
use super::link::Link;
use crate::Effect;
use crate::backoff::up_to;

/// When to look next, and what was seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct TrustWatch {
    /// When it is looked next, in a session of the broker.
    pub(super) due_at_ms: Option<u64>,
    /// Not before this, however many sessions there are.
    not_before_ms: u64,
    /// What was seen last in this boot.
    pub(super) report: Option<TrustReport>,
}

impl Step<'_> {
    /// A session began. A whole fleet may have come back with it: each device takes its time.
    pub(super) fn watch_trust(&mut self) {
        let delay = up_to(self.agent.config.trust_spread_ms, self.agent.now.random);
        let at = self.agent.now.uptime_ms.saturating_add(delay);
        self.agent.trust.due_at_ms = Some(at.max(self.agent.trust.not_before_ms));
    }

    pub(super) fn check_trust_if_due(&mut self) {
        let now = self.agent.now.uptime_ms;
        if self.agent.link != Link::Up || self.agent.trust.due_at_ms.is_none_or(|at| at > now) {
            return;
        }
        self.agent.trust.not_before_ms = now.saturating_add(self.agent.config.trust_interval_ms);
        self.agent.trust.due_at_ms = Some(self.agent.trust.not_before_ms);
        (self.out)(Effect::CheckTrust);
    }

    /// Nothing here stops an update: what is verified and newer is taken all the same.
    pub(super) fn trust_checked(&mut self, report: TrustReport) {
        let before = self.agent.trust.report.as_ref().and_then(|report| report.reason);
        if let Some(reason) = report.reason.filter(|&reason| before != Some(reason)) {
            let message = ["updates may be withheld: ", reason.name()];
            self.log(LogLevel::Warn, "TRUST_FAILED", &message, Some(reason));
        }
        self.agent.trust.report = Some(report);
    }
}
