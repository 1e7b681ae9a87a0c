//! A device's surroundings, small enough to read: two slots with ESP-IDF's boot rule,
//! a shadow service, an HTTPS server that can fail, and a clock that jumps.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use otaru_wire::payload::Progress;
use otaru_wire::{Namespace, Reason, ShadowTopic, ShadowVerb, ThingName, Topic};
use serde_json::{Value, json};

use super::flash::{Flash, boot_facts, image, target, version};
use super::service::Service;
use crate::agent::{Agent, AgentPhase, Stored};
use crate::{
    AgentConfig, BootFacts, DailyWindow, Decision, Effect, EntryState, Fault, Input, Journal,
    Moment, ResetCause, Target, Wanted,
};

/// How an image behaves on its trial boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Pass,
    Fail,
    Crash,
    Hang,
}

/// An owned [`Input`], on its way to the agent.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Input(Input<'static>),
    Message(ShadowTopic, Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) agent: Agent<8192>,
    pub(super) flash: Flash,
    pub(super) service: Service,
    pub(super) behaviour: Behaviour,
    /// Answers to the next checks and downloads; when empty they succeed.
    pub(super) faults: VecDeque<Fault>,
    /// Length of every image.
    pub(super) size_bytes: u64,
    /// How far the next downloads get before the link goes away.
    pub(super) cut_downloads: VecDeque<u64>,
    pub(super) link: bool,
    pub(super) uptime_ms: u64,
    pub(super) queue: VecDeque<Event>,
    pub(super) transcript: String,
    /// Settings the product refuses.
    pub(super) refused: Vec<&'static str>,
    /// Whether the product wants to be asked.
    pub(super) asks_product: bool,
    /// When new firmware may be started.
    pub(super) window: Option<DailyWindow>,
    /// The product's next answers; when empty it says now.
    pub(super) decisions: VecDeque<Decision>,
    /// Questions that are not answered.
    pub(super) unanswered: u32,
    /// How long the device ran before this boot.
    ran_before_ms: u64,
    /// Not before this much running may a question come that was durably put off.
    put_off_until_ms: u64,
    /// What the device's clock says at power-on.
    pub(super) wall_ms: Option<i64>,
    /// Effects left until power goes away.
    pub(super) fuse: Option<u32>,
    pub(super) boots: u32,
    /// Sessions whose subscriptions are not answered.
    pub(super) deaf_sessions: u32,
    /// What the last manifest was checked against.
    pub(super) wanted: Option<Wanted>,
    /// How often the agent wanted root and timestamp looked at.
    pub(super) trust_checks: u32,
    /// Images whose floors were raised.
    pub(super) raised: Vec<otaru_wire::Digest>,
    random: u64,
}

pub(super) fn config() -> AgentConfig {
    let thing = ThingName::new("clock-01").unwrap();
    let config = AgentConfig::new(thing, Namespace::new("mia").unwrap());
    // Once a session is enough: what comes daily keeps a device from ever being at rest.
    AgentConfig { trust_spread_ms: 0, trust_interval_ms: u64::MAX, ..config }
}

impl World {
    /// A device that runs 1.0.4 and is not connected.
    pub(super) fn new() -> World {
        let flash = Flash::factory();
        let facts = boot_facts(&flash, ResetCause::PowerOn);
        let (stored, now) = (Stored::default(), Moment::default());
        let agent = Agent::start(config(), &facts, stored, now, &mut |_| {});
        let mut world = World {
            agent,
            flash,
            service: Service::default(),
            behaviour: Behaviour::Pass,
            faults: VecDeque::new(),
            size_bytes: 1000,
            cut_downloads: VecDeque::new(),
            link: false,
            uptime_ms: 0,
            queue: VecDeque::new(),
            transcript: String::new(),
            refused: Vec::new(),
            asks_product: false,
            window: None,
            decisions: VecDeque::new(),
            unanswered: 0,
            ran_before_ms: 0,
            put_off_until_ms: 0,
            wall_ms: Some(1_795_430_400_000),
            fuse: None,
            boots: 0,
            deaf_sessions: 0,
            wanted: None,
            trust_checks: 0,
            raised: Vec::new(),
            random: 1,
        };
        world.start(&facts, stored, now);
        world
    }

    /// The same device, connected and idle.
    pub(super) fn connected() -> World {
        let mut world = World::new();
        world.connect();
        world.run();
        world.transcript.clear();
        world
    }

    /// The same device with a product that wants to be asked, and what it will answer.
    pub(super) fn asking(decisions: &[Decision]) -> World {
        let mut world = World { asks_product: true, ..World::new() };
        world.restart(ResetCause::PowerOn);
        world.connect();
        world.run();
        world.transcript.clear();
        world.decisions = decisions.iter().copied().collect();
        world
    }

    pub(super) fn config(&self) -> AgentConfig {
        AgentConfig {
            asks_product: self.asks_product,
            shows_offers: self.asks_product,
            restart_window: self.window,
            ..config()
        }
    }

    pub(super) fn connect(&mut self) {
        self.link = true;
        self.queue.push_back(Event::Input(Input::LinkUp));
    }

    pub(super) fn disconnect(&mut self) {
        self.link = false;
        self.queue.push_back(Event::Input(Input::LinkDown));
    }

    /// Wishes for a release, as the server does: id and digest beside the version.
    pub(super) fn wish(&mut self, release: &str, update: &str) {
        let sha256 = image(&version(release));
        let update = json!({"id": update, "sha256": sha256, "attempt": 1});
        self.desire(json!({"config": {"firmware_version": release}, "update": update}));
    }

    pub(super) fn desire(&mut self, patch: Value) {
        self.change(json!({"desired": patch}), None);
    }

    fn change(&mut self, state: Value, token: Option<Value>) {
        for (topic, message) in self.service.change(state, token) {
            self.hear(topic, message);
        }
    }

    fn hear(&mut self, topic: ShadowTopic, message: Value) {
        if self.link {
            self.queue.push_back(Event::Message(topic, format!("{message}").into_bytes()));
        }
    }

    /// Steps until nothing is left to happen within a month.
    pub(super) fn run(&mut self) {
        for _ in 0..5_000 {
            if !self.pass() {
                return;
            }
        }
        panic!("never at rest:\n{}", self.transcript);
    }

    /// Lets the next thing happen; whether there was one within a month.
    pub(super) fn pass(&mut self) -> bool {
        if let Some(event) = self.queue.pop_front() {
            self.step(event);
            return true;
        }
        let wake_at = self.agent.wake_at_ms().filter(|&at| at < 30 * 86_400_000);
        if let Some(at) = wake_at {
            self.uptime_ms = at.max(self.uptime_ms);
            self.step(Event::Input(Input::TimePassed));
        }
        wake_at.is_some()
    }

    /// Steps until the agent is in a phase, or at rest.
    pub(super) fn run_until(&mut self, reached: impl Fn(AgentPhase) -> bool) {
        while !reached(self.agent.phase()) {
            match self.queue.pop_front() {
                Some(event) => self.step(event),
                None => return,
            }
        }
    }

    fn step(&mut self, event: Event) {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let wall_ms = self.wall_ms.map(|wall_ms| wall_ms + self.uptime_ms as i64);
        let now = Moment { uptime_ms: self.uptime_ms, wall_ms, random: self.random };
        let input = match &event {
            Event::Input(input) => input.clone(),
            Event::Message(topic, payload) => Input::ShadowArrived { topic: *topic, payload },
        };
        let mut agent = self.agent.clone();
        let mut is_over = false;
        agent.step(now, input, &mut |effect| is_over = is_over || self.carry_out(effect));
        if !is_over {
            self.agent = agent;
        }
    }

    fn start(&mut self, facts: &BootFacts, stored: Stored<'_>, now: Moment) {
        let (config, mut is_over) = (self.config(), false);
        let mut carry_out = |effect: Effect<'_>| is_over = is_over || self.carry_out(effect);
        let agent = Agent::start(config, facts, stored, now, &mut carry_out);
        if !is_over {
            self.agent = agent;
        }
    }

    /// Carries an effect out. A restart or power cut ends the boot, and drops those behind it.
    fn carry_out(&mut self, effect: Effect<'_>) -> bool {
        if let Some(left) = &mut self.fuse {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => {
                    self.fuse = None;
                    return self.reset(ResetCause::PowerOn);
                }
            }
        }
        match effect {
            Effect::Restart => return self.reset(ResetCause::Software),
            Effect::RollBack if self.flash.slots[1 - self.flash.running].is_none() => {
                let failed = Input::RollBackFailed(Reason::FlashFailed);
                self.queue.push_back(Event::Input(failed));
            }
            Effect::RollBack => {
                self.flash.entries[self.flash.running] = EntryState::Invalid;
                return self.reset(ResetCause::Software);
            }
            Effect::RunSelfTest if self.behaviour == Behaviour::Crash => {
                return self.reset(ResetCause::Panic);
            }
            Effect::RunSelfTest if self.behaviour == Behaviour::Hang => {
                return self.reset(ResetCause::Watchdog);
            }
            effect => self.carry_out_one(effect),
        }
        false
    }

    fn reset(&mut self, cause: ResetCause) -> bool {
        self.restart(cause);
        true
    }

    fn carry_out_one(&mut self, effect: Effect<'_>) {
        let other = 1 - self.flash.running;
        let answer = match effect {
            Effect::Subscribe(topics) => {
                assert!(topics.len() <= 8, "one SUBSCRIBE holds eight filters");
                if let Some(fewer) = self.deaf_sessions.checked_sub(1) {
                    self.deaf_sessions = fewer;
                    return;
                }
                Input::Subscribed
            }
            Effect::Disconnect => {
                self.note("disconnect");
                self.disconnect();
                return self.connect();
            }
            Effect::Publish { topic, payload, .. } => {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                assert_eq!(bytes.len(), payload.len_bytes());
                return self.publish(topic, &bytes);
            }
            Effect::SaveJournal(bytes) => {
                let journal = Journal::from_bytes(bytes).expect("it reads its own journal");
                let deferral = journal.attempt.and_then(|attempt| attempt.deferral);
                let left_ms = deferral.map_or(0, |deferral| deferral.left_ms);
                self.put_off_until_ms = self.ran_ms() + left_ms;
                return self.flash.journal = bytes.to_vec();
            }
            Effect::ShowOffer(offer) => {
                let shown = offer.map_or("nothing".into(), |offer| format!("{}", offer.version));
                return self.note(&format!("screen shows {shown}"));
            }
            Effect::AskProduct(question) => {
                let (before, version) = (question.before, question.version);
                self.note(&format!("asked before {before:?} of {version}"));
                if self.ran_ms() < self.put_off_until_ms {
                    self.note("too early");
                }
                if let Some(fewer) = self.unanswered.checked_sub(1) {
                    self.unanswered = fewer;
                    return;
                }
                Input::ProductDecided(self.decisions.pop_front().unwrap_or(Decision::Now))
            }
            Effect::SaveSettings(json) => return self.flash.settings = json.into(),
            Effect::CheckManifest(wanted) => {
                let fault = self.faults.pop_front();
                let version = wanted.version.clone();
                self.wanted = Some(wanted);
                let found = Target { size_bytes: self.size_bytes, ..target(&version) };
                Input::ManifestChecked(fault.map_or(Ok(found), Err))
            }
            Effect::Download { target, from_start } => return self.download(&target, from_start),
            Effect::VerifySlot(target) => {
                let good = self.flash.slots[other].as_ref().map(image) == Some(target.sha256);
                Input::SlotVerified(good.then_some(()).ok_or(Reason::DigestMismatch))
            }
            Effect::ArmTrialBoot(_) => {
                self.flash.entries[other] = EntryState::New;
                Input::TrialBootArmed(Ok(()))
            }
            Effect::RunSelfTest if self.behaviour == Behaviour::Fail => {
                Input::SelfTestEnded(Err(Reason::SelfTestFailed))
            }
            Effect::RunSelfTest => Input::SelfTestEnded(Ok(())),
            Effect::ConfirmSlot => {
                self.flash.entries[self.flash.running] = EntryState::Valid;
                Input::SlotConfirmed(Ok(()))
            }
            Effect::ApplySetting { id, name, .. } if self.refused.contains(&name) => {
                Input::SettingRefused(id)
            }
            Effect::ApplySetting { id, .. } => Input::SettingApplied(id),
            Effect::RestoreSetting { name, value } => {
                return self.note(&format!("restored {name} = {value}"));
            }
            Effect::StopTransfer => {
                self.queue.retain(|event| !is_transfer(event));
                return;
            }
            Effect::Log(line) => {
                let message = line.message.concat();
                return self.note(&format!("{} {message}", line.level.as_str()));
            }
            Effect::AdoptManifest(_) => return,
            Effect::CheckTrust => return self.trust_checks += 1,
            Effect::RaiseFloor(sha256) => return self.raised.push(sha256),
            Effect::Restart | Effect::RollBack => unreachable!("carried out before"),
        };
        self.queue.push_back(Event::Input(answer));
    }

    fn download(&mut self, target: &Target, from_start: bool) {
        let other = 1 - self.flash.running;
        self.flash.entries[other] = EntryState::Missing;
        self.note(if from_start { "download from the start" } else { "download" });
        let cut = self.cut_downloads.pop_front().map(|done| (done, Reason::DownloadStalled.into()));
        let fault = cut.or_else(|| Some((300, self.faults.pop_front()?)));
        if let Some((done, fault)) = fault {
            self.queue.push_back(Event::Input(Input::BytesRead { done }));
            self.queue.push_back(Event::Input(Input::DownloadEnded(Err(fault))));
            return;
        }
        self.flash.slots[other] = Some(target.version.clone());
        for done in [self.size_bytes / 2, self.size_bytes] {
            self.queue.push_back(Event::Input(Input::BytesRead { done }));
        }
        self.queue.push_back(Event::Input(Input::DownloadEnded(Ok(()))));
    }

    fn publish(&mut self, topic: Topic, payload: &[u8]) {
        if !self.link {
            return;
        }
        match topic {
            Topic::Progress { .. } => {
                let Progress { phase, done, total, attempt, until, wait_ms, reason, .. } =
                    Progress::parse_payload(payload).expect("the agent writes what the wire reads");
                assert_eq!(until.is_some(), wait_ms.is_some() && self.wall_ms.is_some());
                let until = if wait_ms.is_some() { " until" } else { "" };
                let reason = reason.map_or(String::new(), |reason| format!(" {reason}"));
                self.note(&format!("progress {phase} {done}/{total} #{attempt}{until}{reason}"));
            }
            Topic::Shadow { topic: ShadowTopic::Request(verb), .. } => {
                let request: Value = serde_json::from_slice(payload).unwrap();
                let token = request.get("clientToken").cloned();
                if verb == ShadowVerb::Get && self.service.reads_lost > 0 {
                    return self.service.reads_lost -= 1;
                }
                if verb == ShadowVerb::Get {
                    let (topic, message) = self.service.get(token);
                    return self.hear(topic, message);
                }
                self.note(&format!("report {}", request["state"]["reported"]));
                self.change(request["state"].clone(), token);
            }
            topic => panic!("{topic:?} is not the agent's to publish on"),
        }
    }

    /// Takes power or the processor away, applies the bootloader's rule, boots.
    pub(super) fn restart(&mut self, reset: ResetCause) {
        self.boots += 1;
        self.queue.clear();
        self.flash.boot();
        self.note(&format!("boot of slot {} after {reset:?}", self.flash.running));
        self.ran_before_ms = self.ran_ms();
        self.uptime_ms = 0;
        let facts = boot_facts(&self.flash, reset);
        let (journal, settings) = (self.flash.journal.clone(), self.flash.settings.clone());
        let stored = Stored { journal: &journal, settings: &settings, recreated: None };
        let now = Moment { wall_ms: self.wall_ms, random: self.random, ..Moment::default() };
        self.start(&facts, stored, now);
        if self.link {
            self.connect();
        }
    }

    /// How long the device ran in all its boots.
    fn ran_ms(&self) -> u64 {
        self.ran_before_ms + self.uptime_ms
    }

    pub(super) fn note(&mut self, line: &str) {
        self.transcript += line;
        self.transcript += "\n";
    }

    /// `reported.firmware.last` at the service, as one line.
    pub(super) fn last_reported(&self) -> String {
        let firmware = &self.service.reported["firmware"];
        let last = &firmware["last"];
        let reason = last["reason"].as_u64().map(Reason::from_message);
        format!(
            "runs {} ({}), last {} {} {}",
            firmware["version"].as_str().unwrap_or("?"),
            firmware["state"].as_str().unwrap_or("?"),
            last["update"].as_str().unwrap_or("none"),
            last["outcome"].as_str().unwrap_or("none"),
            reason.map_or(String::new(), |reason| format!("{reason}")),
        )
    }
}

fn is_transfer(event: &Event) -> bool {
    matches!(
        event,
        Event::Input(
            Input::ManifestChecked(_)
                | Input::BytesRead { .. }
                | Input::DownloadEnded(_)
                | Input::SlotVerified(_)
                | Input::ProductDecided(_)
        )
    )
}

pub(super) fn faults(reasons: &[Reason]) -> VecDeque<Fault> {
    reasons.iter().map(|&reason| Fault::from(reason)).collect()
}
