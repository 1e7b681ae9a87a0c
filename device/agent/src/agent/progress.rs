//! Progress messages: transitions at once, bytes at most once in an interval.

use otaru_wire::payload::member;
use otaru_wire::{Phase, Reason, Topic};

use super::link::Link;
use super::{AgentPhase, Core, Step};
use crate::json::Out;
use crate::reported::Leaf;
use crate::{Before, Delivery, Effect, Payload};

/// What was last said, and the bytes that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    said_at_ms: Option<u64>,
    /// When bytes that came too soon after the last message are due.
    pub(super) due_at_ms: Option<u64>,
    /// Most bytes read back within this attempt number.
    pub(super) done: u64,
    /// Most bytes read back in any try of this update since the boot: only more is a new byte.
    pub(super) best: Option<u64>,
    /// When the try under way is given up, unless it gets further.
    pub(super) stalls_at_ms: u64,
    /// Whether what stands in flash is suspect.
    pub(super) start_over: bool,
}

impl Step<'_> {
    /// Says where the update is, if there is one and somebody can hear it.
    pub(super) fn tell(&mut self) {
        if let Some(phase) = self.agent.phase.told() {
            self.tell_phase(phase);
        }
    }

    pub(super) fn tell_phase(&mut self, phase: Phase) {
        let Some(attempt) = &self.agent.journal.attempt else { return };
        if self.agent.link != Link::Up {
            return;
        }
        let total = attempt.target.as_ref().map_or(0, |target| target.size_bytes);
        let is_there = attempt.deferral.is_some_and(|wait| wait.before == Before::Restart);
        let phase = match phase {
            // It is only looked at once more.
            Phase::Notified | Phase::Downloading if is_there => Phase::Verifying,
            phase => phase,
        };
        let done = if is_there || phase > Phase::Downloading {
            total
        } else {
            self.agent.meter.done.min(total)
        };
        let (wait_ms, reason) = self.agent.wait().unzip();
        let delay = |wait_ms| i64::try_from(wait_ms).unwrap_or(i64::MAX);
        let until = wait_ms.zip(self.agent.now.wall_ms);
        let until = until.map(|(wait_ms, now)| now.saturating_add(delay(wait_ms)));
        let (version, number) = (&attempt.version, attempt.number);
        let members = [
            (member::VERSION, Leaf::Text(version.as_str())),
            (member::PHASE, Leaf::Text(phase.as_str())),
            (member::DONE, Leaf::Number(done)),
            (member::TOTAL, Leaf::Number(total)),
            (member::ATTEMPT, Leaf::Number(number.into())),
            (member::UNTIL, until.map_or(Leaf::Absent, Leaf::Signed)),
            (member::WAIT_MS, wait_ms.map_or(Leaf::Absent, Leaf::Number)),
            (
                member::REASON,
                reason.map_or(Leaf::Absent, |reason| Leaf::Number(reason.number().into())),
            ),
        ];
        self.agent.meter.said_at_ms = Some(self.agent.now.uptime_ms);
        self.agent.meter.due_at_ms = None;
        let write = |out: &mut Out<'_>| {
            let mut before = "{\"";
            for (name, value) in members.iter().filter(|(_, value)| !value.is_absent()) {
                out(core::mem::replace(&mut before, ",\""));
                out(name);
                out("\":");
                value.write(out);
            }
            out("}");
        };
        let topic = Topic::Progress { thing: self.agent.config.thing.clone() };
        let (payload, delivery) = (Payload::new(&write), Delivery::AtMostOnce);
        (self.out)(Effect::Publish { topic, payload, delivery });
    }

    /// Says how many bytes are done: at once, or when the interval since the last
    /// message is over, so that a link that stalls leaves the true number behind.
    pub(super) fn tell_bytes(&mut self) {
        let interval = self.agent.config.progress_interval_ms;
        let due_at = self.agent.meter.said_at_ms.map(|at| at.saturating_add(interval));
        match due_at.filter(|&at| at > self.agent.now.uptime_ms) {
            Some(at) => self.agent.meter.due_at_ms = Some(at),
            None => self.tell(),
        }
    }
}

impl Core {
    fn wait(&self) -> Option<(u64, Reason)> {
        let (until_ms, reason) = match self.phase {
            AgentPhase::AwaitRetry { reason, .. } | AgentPhase::Deferred { reason, .. } => {
                (self.wait_ends_at_ms()?, reason)
            }
            _ => return None,
        };
        Some((until_ms.saturating_sub(self.now.uptime_ms), reason))
    }
}

impl AgentPhase {
    /// What the server is told it is; `None` where no update is under way.
    pub fn told(self) -> Option<Phase> {
        Some(match self {
            AgentPhase::Idle => return None,
            AgentPhase::Offered
            | AgentPhase::Preflight
            | AgentPhase::Asking { before: Before::Download, .. } => Phase::Notified,
            AgentPhase::Downloading { .. } => Phase::Downloading,
            AgentPhase::Verifying
            | AgentPhase::Reaching { .. }
            | AgentPhase::Staged
            | AgentPhase::Asking { before: Before::Restart, .. } => Phase::Verifying,
            AgentPhase::Activating | AgentPhase::RollingBack => Phase::Restarting,
            AgentPhase::Trial { .. } | AgentPhase::SelfTest { .. } | AgentPhase::Confirming => {
                Phase::Testing
            }
            AgentPhase::AwaitRetry { .. } | AgentPhase::Deferred { .. } => Phase::Waiting,
        })
    }
}
