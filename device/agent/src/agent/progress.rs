//! Progress messages: transitions at once, bytes at most once in an interval.

use otaru_wire::payload::Progress;
use otaru_wire::{Phase, Reason, Topic};

use super::link::Link;
use super::{Agent, AgentPhase};
use crate::{Delivery, Effect};

/// What was last said, and the bytes that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    said_at_ms: Option<u64>,
    /// When bytes that came too soon after the last message are due.
    pub(super) due_at_ms: Option<u64>,
    /// Most bytes read back within this attempt number.
    pub(super) done: u64,
    /// Most bytes read back in any try of this update: only more is a new byte.
    pub(super) best: u64,
    /// Whether what stands in flash is suspect.
    pub(super) start_over: bool,
}

impl Agent {
    /// Says where the update is, if there is one and somebody can hear it.
    pub(super) fn tell(&mut self) {
        if let Some(phase) = self.wire_phase() {
            self.tell_phase(phase);
        }
    }

    pub(super) fn tell_phase(&mut self, phase: Phase) {
        let Some(attempt) = &self.journal.attempt else { return };
        if self.link != Link::Up {
            return;
        }
        let total = attempt.target.as_ref().map_or(0, |target| target.size_bytes);
        let done = if phase > Phase::Downloading { total } else { self.meter.done.min(total) };
        let (until, reason) = self.wait();
        let (version, attempt) = (attempt.version.clone(), attempt.number);
        let progress = Progress { version, phase, done, total, attempt, until, reason };
        self.meter.said_at_ms = Some(self.now.uptime_ms);
        self.meter.due_at_ms = None;
        self.effects.push(Effect::Publish {
            topic: Topic::Progress { thing: self.config.thing.clone() },
            payload: progress.to_json(),
            delivery: Delivery::AtMostOnce,
        });
    }

    /// Says how many bytes are done: at once, or when the interval since the last
    /// message is over, so that a link that stalls leaves the true number behind.
    pub(super) fn tell_bytes(&mut self) {
        let interval = self.config.progress_interval_ms;
        let due_at = self.meter.said_at_ms.map(|at| at.saturating_add(interval));
        match due_at.filter(|&at| at > self.now.uptime_ms) {
            Some(at) => self.meter.due_at_ms = Some(at),
            None => self.tell(),
        }
    }

    fn wait(&self) -> (Option<i64>, Option<Reason>) {
        let AgentPhase::AwaitRetry { until_ms, reason } = self.phase else { return (None, None) };
        let delay = i64::try_from(until_ms.saturating_sub(self.now.uptime_ms)).unwrap_or(i64::MAX);
        (self.now.wall_ms.map(|now| now.saturating_add(delay)), Some(reason))
    }

    fn wire_phase(&self) -> Option<Phase> {
        Some(match self.phase {
            AgentPhase::Idle => return None,
            AgentPhase::Offered | AgentPhase::Preflight => Phase::Notified,
            AgentPhase::Downloading { .. } => Phase::Downloading,
            AgentPhase::Verifying | AgentPhase::Staged => Phase::Verifying,
            AgentPhase::Activating | AgentPhase::RollingBack => Phase::Restarting,
            AgentPhase::Trial { .. } | AgentPhase::SelfTest { .. } | AgentPhase::Confirming => {
                Phase::Testing
            }
            AgentPhase::AwaitRetry { .. } => Phase::Waiting,
        })
    }
}
