//! A product with little room for settings, which answers when it is told to.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use otaru_wire::{Reason, ShadowTopic, ShadowVerb, Topic};

use super::flash::{Flash, boot_facts};
use super::world::config;
use crate::{Agent, AgentConfig, Effect, Input, Moment, ResetCause, SettingId, Stored};

/// A product whose agent has that much room, and what the agent wants of it.
pub(super) struct Product<const ROOM: usize> {
    pub(super) agent: Agent<ROOM>,
    version: u64,
    uptime_ms: u64,
    /// What was handed over and not answered yet, `"name":value` each.
    handed: Vec<(SettingId, String)>,
    /// What was said when it started, and then about settings.
    pub(super) said: Vec<String>,
    /// How often the shadow was asked for.
    pub(super) asked: u32,
    /// The last report.
    pub(super) report: String,
}

impl<const ROOM: usize> Product<ROOM> {
    /// One that kept `kept`, and read a shadow that wants nothing. It may keep so many bytes.
    pub(super) fn new(bytes_max: usize, kept: &str) -> Product<ROOM> {
        let facts = boot_facts(&Flash::factory(), ResetCause::PowerOn);
        let config = AgentConfig { settings_bytes_max: bytes_max, ..config() };
        let stored = Stored { settings: kept.as_bytes(), ..Stored::default() };
        let mut said = Vec::new();
        let agent = Agent::start(config, &facts, stored, now(0), &mut |effect| {
            if let Effect::Log(line) = effect {
                said.push(line.message.concat());
            }
        });
        let (handed, report) = (Vec::new(), String::new());
        let mut product =
            Product { agent, version: 5, uptime_ms: 0, handed, said, asked: 0, report };
        product.step(Input::LinkUp);
        product.step(Input::Subscribed);
        product.hear(ShadowTopic::Accepted(ShadowVerb::Get), r#""state":{}"#);
        product.asked = 0;
        product
    }

    fn step(&mut self, input: Input<'_>) {
        let Product { agent, handed, said, asked, report, .. } = self;
        agent.step(now(self.uptime_ms), input, &mut |effect| match effect {
            Effect::ApplySetting { id, name, value } => {
                handed.push((id, format!("\"{name}\":{value}")));
            }
            Effect::Log(line) if line.reason == Some(Reason::SettingRefused) => {
                said.push(line.message.concat());
            }
            Effect::Publish { topic: Topic::Shadow { topic, .. }, payload, .. } => match topic {
                ShadowTopic::Request(ShadowVerb::Get) => *asked += 1,
                _ => {
                    let mut bytes = Vec::new();
                    payload.write(&mut |piece| bytes.extend_from_slice(piece));
                    *report = String::from_utf8(bytes).unwrap();
                }
            },
            _ => {}
        });
    }

    fn hear(&mut self, topic: ShadowTopic, members: &str) {
        let payload = format!(r#"{{"version":{},{members}}}"#, self.version);
        self.step(Input::ShadowArrived { topic, payload: payload.as_bytes() });
    }

    /// A delta, which says what else is wanted.
    pub(super) fn want(&mut self, settings: &str) {
        self.version += 1;
        let members = format!(r#""state":{{"config":{{{settings}}}}}"#);
        self.hear(ShadowTopic::Delta, &members);
    }

    /// A whole shadow: all that is wanted, and what the service knows.
    pub(super) fn read(&mut self, settings: &str, known: &str) {
        self.version += 1;
        let desired = format!(r#""desired":{{"config":{{{settings}}}}}"#);
        let reported = format!(r#""reported":{{"config":{{{known}}}}}"#);
        let members = format!(r#""state":{{{desired},{reported}}}"#);
        self.hear(ShadowTopic::Accepted(ShadowVerb::Get), &members);
    }

    /// The service takes the last report.
    pub(super) fn take_report(&mut self) {
        self.version += 1;
        let report = self.report.clone();
        let members = report.strip_prefix('{').and_then(|report| report.strip_suffix('}'));
        self.hear(ShadowTopic::Accepted(ShadowVerb::Update), members.unwrap());
    }

    /// The product answers one of what it has in hand.
    pub(super) fn answer(&mut self, place: usize, is_applied: bool) {
        let (id, _) = self.handed.remove(place);
        self.step(if is_applied { Input::SettingApplied(id) } else { Input::SettingRefused(id) });
    }

    /// The product applies all that it has in hand.
    pub(super) fn apply_all(&mut self) {
        while !self.handed.is_empty() {
            self.answer(0, true);
        }
    }

    /// Until what was refused once is due.
    pub(super) fn wait(&mut self) {
        self.uptime_ms += 30_000;
        self.step(Input::TimePassed);
    }

    /// What the product has in hand.
    pub(super) fn in_hand(&self) -> Vec<&str> {
        self.handed.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Every wait is as long as it may be.
fn now(uptime_ms: u64) -> Moment {
    Moment { uptime_ms, wall_ms: None, random: u64::MAX }
}
