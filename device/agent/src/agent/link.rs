//! The broker session: subscribe, read the shadow, keep it read.

use alloc::string::ToString;
use alloc::vec::Vec;

use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ShadowId, ShadowTopic, ShadowVerb, Topic};
use serde_json::json;

use super::{Agent, AgentPhase, Settling};
use crate::budget::ends_with_the_link;
use crate::shadow::ShadowFollower;
use crate::{Delivery, Effect, full_jitter};

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
const TOPICS: [ShadowTopic; 7] = [
    ShadowTopic::Accepted(ShadowVerb::Get),
    ShadowTopic::Rejected(ShadowVerb::Get),
    ShadowTopic::Accepted(ShadowVerb::Update),
    ShadowTopic::Rejected(ShadowVerb::Update),
    ShadowTopic::Delta,
    ShadowTopic::Documents,
    ShadowTopic::Accepted(ShadowVerb::Delete),
];

impl Agent {
    pub(super) fn link_up(&mut self) {
        self.link = Link::Subscribing;
        self.trust.due_at_ms = None;
        self.shadow = ShadowFollower::default();
        self.reporter.forget();
        self.reporter.asked_at_ms = Some(self.now.uptime_ms);
        self.effects.push(Effect::Subscribe(Vec::from(TOPICS)));
    }

    pub(super) fn link_down(&mut self) {
        let owed = self.reporter.in_flight.is_some() || self.settling != Settling::Settled;
        if self.link == Link::Up && owed {
            let message = "the link went down before the report was through";
            let reason = Some(Reason::LinkDownAtReport);
            self.log(LogLevel::Warn, "CONFIG_REPORT_FAILED", message, reason);
        }
        self.link = Link::Down;
        self.trust.due_at_ms = None;
        self.reporter.forget();
    }

    pub(super) fn subscribed(&mut self) {
        if self.link == Link::Subscribing {
            self.link = Link::Reading;
            self.ask();
        }
    }

    /// Subscriptions or a read were not answered in time.
    pub(super) fn answer_overdue(&mut self) {
        if self.link == Link::Subscribing {
            // Deaf is worse than disconnected: begin again.
            self.reporter.asked_at_ms = None;
            self.effects.push(Effect::Disconnect);
        } else {
            self.ask();
        }
    }

    /// Asks for the shadow. Asked again if nothing comes.
    pub(super) fn ask(&mut self) {
        if matches!(self.link, Link::Down | Link::Subscribing) {
            return;
        }
        self.reporter.asked_at_ms = Some(self.now.uptime_ms);
        self.reporter.ask_at_ms = None;
        let token = self.reporter.next_token(self.now.random);
        let payload = json!({ "clientToken": &token });
        self.shadow.asked(token);
        self.publish_shadow(ShadowVerb::Get, payload.to_string().into_bytes());
    }

    pub(super) fn publish_shadow(&mut self, verb: ShadowVerb, payload: Vec<u8>) {
        let shadow = ShadowId { thing: self.config.thing.clone(), name: None };
        let topic = Topic::Shadow { shadow, topic: ShadowTopic::Request(verb) };
        self.effects.push(Effect::Publish { topic, payload, delivery: Delivery::AtLeastOnce });
    }

    /// The shadow answered a read: a full round trip through the broker and the service.
    pub(super) fn shadow_read(&mut self) {
        if matches!(self.link, Link::Down | Link::Subscribing) {
            return;
        }
        self.reporter.asked_at_ms = None;
        self.reporter.ask_at_ms = None;
        self.reporter.reads_refused = 0;
        let came_up = self.link == Link::Reading;
        self.link = Link::Up;
        if self.settling == Settling::UntilRead {
            self.settling = Settling::Settled;
        }
        if came_up {
            self.watch_trust();
            self.tell();
            if let AgentPhase::AwaitRetry { reason, .. } = self.phase
                && ends_with_the_link(reason)
            {
                self.phase = AgentPhase::AwaitRetry { until_ms: self.now.uptime_ms, reason };
            }
        }
        self.broker_reached();
        self.follow_wish();
        self.follow_offer();
        self.follow_settings();
    }

    /// One line for a run of refusals: the log buffer is small.
    pub(super) fn read_refused(&mut self, code: u64) {
        if self.reporter.reads_refused == 0 {
            let message = alloc::format!("the shadow could not be read: {code}");
            self.log(LogLevel::Warn, "SHADOW_FAILED", message, Some(Reason::ServerError));
        }
        let (base, cap) = (self.config.retry_base_ms, self.config.retry_cap_ms);
        let delay = full_jitter(base, cap, self.reporter.reads_refused, self.now.random);
        self.reporter.reads_refused = self.reporter.reads_refused.saturating_add(1);
        self.reporter.asked_at_ms = None;
        self.reporter.ask_at_ms = Some(self.now.uptime_ms.saturating_add(delay));
    }
}
