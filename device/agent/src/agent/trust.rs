//! Looking for newer root documents and for what the server says is newest, now and then.

use alloc::format;

use otaru_wire::payload::{LogLevel, TrustReport};

use super::Agent;
use super::link::Link;
use crate::Effect;

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

impl Agent {
    /// A session began. A whole fleet may have come back with it: each device takes its time.
    pub(super) fn watch_trust(&mut self) {
        let spread = self.config.trust_spread_ms.saturating_add(1);
        let at = self.now.uptime_ms.saturating_add(self.now.random % spread);
        self.trust.due_at_ms = Some(at.max(self.trust.not_before_ms));
    }

    pub(super) fn check_trust_if_due(&mut self) {
        let now = self.now.uptime_ms;
        if self.link != Link::Up || self.trust.due_at_ms.is_none_or(|at| at > now) {
            return;
        }
        self.trust.not_before_ms = now.saturating_add(self.config.trust_interval_ms);
        self.trust.due_at_ms = Some(self.trust.not_before_ms);
        self.effects.push(Effect::CheckTrust);
    }

    /// Nothing here stops an update: what is verified and newer is taken all the same.
    pub(super) fn trust_checked(&mut self, report: TrustReport) {
        let before = self.trust.report.as_ref().and_then(|report| report.reason);
        if let Some(reason) = report.reason.filter(|&reason| before != Some(reason)) {
            let message = format!("updates may be withheld: {reason}");
            self.log(LogLevel::Warn, "TRUST_FAILED", message, Some(reason));
        }
        self.trust.report = Some(report);
    }
}
