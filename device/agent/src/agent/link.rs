//! The broker session: subscribe, read the shadow, keep it read.

use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ShadowId, ShadowTopic, ShadowVerb, Topic};

use super::{AgentPhase, Core, Settling, Step, publish};
use crate::json::{Decimal, Out, Text};
use crate::shadow::ShadowFollower;
use crate::{Effect, Payload, full_jitter};

/// How far the session with the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// There is none.
    Down,
    /// Subscriptions were asked for.
    Subscribing,
    /// The shadow was asked for; nothing was heard since the link came up.
    Reading,
    /// The shadow was read since the link came up.
    Up,
}

/// Everything the agent listens to: seven filters, of the eight one SUBSCRIBE may hold.
const TOPICS: &[ShadowTopic] = &[
    ShadowTopic::Accepted(ShadowVerb::Get),
    ShadowTopic::Rejected(ShadowVerb::Get),
    ShadowTopic::Accepted(ShadowVerb::Update),
    ShadowTopic::Rejected(ShadowVerb::Update),
    ShadowTopic::Delta,
    ShadowTopic::Documents,
    ShadowTopic::Accepted(ShadowVerb::Delete),
];

impl Step<'_> {
    pub(super) fn link_up(&mut self) {
        self.agent.link = Link::Subscribing;
        self.agent.trust.due_at_ms = None;
        self.agent.shadow = ShadowFollower::default();
        self.agent.reporter.forget();
        self.agent.reporter.asked_at_ms = Some(self.agent.now.uptime_ms);
        (self.out)(Effect::Subscribe(TOPICS));
    }

    pub(super) fn link_down(&mut self) {
        let owed =
            self.agent.reporter.in_flight.is_some() || self.agent.settling != Settling::Settled;
        if self.agent.link == Link::Up && owed {
            let message = ["the link went down before the report was through"];
            let reason = Some(Reason::LinkDownAtReport);
            self.log(LogLevel::Warn, "CONFIG_REPORT_FAILED", &message, reason);
        }
        self.agent.link = Link::Down;
        self.agent.trust.due_at_ms = None;
        self.agent.reporter.forget();
        self.reach_failed(Reason::LinkDownAtInstall);
    }

    pub(super) fn subscribed(&mut self) {
        if self.agent.link == Link::Subscribing {
            self.agent.link = Link::Reading;
            self.ask();
        }
    }

    /// Subscriptions or a read were not answered in time.
    pub(super) fn answer_overdue(&mut self) {
        if self.agent.link == Link::Subscribing {
            // Deaf is worse than disconnected: begin again.
            self.agent.reporter.asked_at_ms = None;
            (self.out)(Effect::Disconnect);
        } else {
            self.read_failed(&["the shadow service does not answer"]);
        }
    }

    /// Asks for the shadow. Asked again if nothing comes.
    pub(super) fn ask(&mut self) {
        if matches!(self.agent.link, Link::Down | Link::Subscribing) {
            return;
        }
        self.agent.reporter.asked_at_ms = Some(self.agent.now.uptime_ms);
        self.agent.reporter.ask_at_ms = None;
        let token = self.agent.reporter.next_token(self.agent.now.random);
        self.agent.shadow.asked(token);
        let write = |out: &mut Out<'_>| {
            out("{\"clientToken\":\"");
            out(&token.text());
            out("\"}");
        };
        let topic = self.agent.shadow_topic(ShadowVerb::Get);
        (self.out)(publish(topic, Payload::new(&write)));
    }

    /// The shadow answered a read: a full round trip through the broker and the service.
    pub(super) fn shadow_read(&mut self) {
        if matches!(self.agent.link, Link::Down | Link::Subscribing) {
            return;
        }
        self.agent.reporter.asked_at_ms = None;
        self.agent.reporter.ask_at_ms = None;
        self.agent.reporter.reads_refused = 0;
        let came_up = self.agent.link == Link::Reading;
        self.agent.link = Link::Up;
        if self.agent.settling == Settling::UntilRead {
            self.agent.settling = Settling::Settled;
        }
        if came_up {
            self.watch_trust();
            self.tell();
            if let AgentPhase::AwaitRetry { reason, .. } = self.agent.phase
                && let Some(attempt) = &mut self.agent.journal.attempt
                && attempt.tries.hurry(reason)
            {
                self.try_now(reason);
            }
        }
        self.broker_reached();
        self.follow_wish();
        self.follow_offer();
    }

    pub(super) fn read_refused(&mut self, code: u64, token: Option<Text<'_>>) {
        let is_linked = !matches!(self.agent.link, Link::Down | Link::Subscribing);
        if !is_linked || !self.agent.shadow.is_answered_by(token) {
            return;
        }
        let number = Decimal::new(code);
        self.read_failed(&["the shadow could not be read: ", number.as_str()]);
        // Without a token it may be the answer to somebody else.
        if token.is_some() {
            self.reach_failed(Reason::ServerError);
        }
        if code == 429 || code >= 500 {
            // That is the server's trouble, and no fault of new firmware that heard of it.
            self.broker_reached();
        }
    }

    /// One line for a run of failures: the log buffer is small.
    fn read_failed(&mut self, message: &[&str]) {
        if self.agent.reporter.reads_refused == 0 {
            self.log(LogLevel::Warn, "SHADOW_FAILED", message, Some(Reason::ServerError));
        }
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let delay =
            full_jitter(base, cap, self.agent.reporter.reads_refused, self.agent.now.random);
        self.agent.reporter.reads_refused = self.agent.reporter.reads_refused.saturating_add(1);
        self.agent.reporter.asked_at_ms = None;
        self.agent.reporter.ask_at_ms = Some(self.agent.now.uptime_ms.saturating_add(delay));
    }
}

impl Core {
    /// Where a request about the shadow goes.
    pub(super) fn shadow_topic(&self, verb: ShadowVerb) -> Topic {
        let shadow = ShadowId { thing: self.config.thing.clone(), name: None };
        Topic::Shadow { shadow, topic: ShadowTopic::Request(verb) }
    }
}
