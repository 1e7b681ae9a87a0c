//! A device in every phase that lasts, and under what makes a difference there.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::{Reason, ShadowTopic};
use serde_json::{Value, json};

use super::super::flash::{boot_facts, version};
use super::super::world::{Behaviour, Event, World, config};
use super::effect_name;
use crate::agent::{Agent, Stored};
use crate::{
    AgentConfig, AgentPhase, Before, DailyWindow, Decision, Effect, EntryState, Fault, Hold, Input,
    Moment, ResetCause, WithoutBroker,
};

/// An agent with the room a [`World`] gives it.
pub(super) type Device = Agent<8192>;

/// A device in a phase, under a condition.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) condition: &'static str,
    pub(super) agent: Device,
    /// Of the report that went out last.
    pub(super) report_token: String,
    now: Moment,
}

impl Start {
    fn of(world: &World) -> Start {
        let wall_ms = world.wall_ms.map(|wall_ms| wall_ms + world.uptime_ms as i64);
        let now = Moment { uptime_ms: world.uptime_ms, wall_ms, random: u64::MAX };
        let (agent, report_token) = (world.agent.clone(), String::new());
        Start { condition: "", agent, report_token, now }
    }

    fn under(self, condition: &'static str) -> Start {
        Start { condition, ..self }
    }

    /// One step, so long after; the effects that the update needs.
    pub(super) fn take(&mut self, input: Input<'_>, after_ms: u64) -> Vec<&'static str> {
        let Start { agent, report_token, now, .. } = self;
        now.uptime_ms += after_ms;
        now.wall_ms = now.wall_ms.map(|wall_ms| wall_ms + after_ms as i64);
        let mut effects = Vec::new();
        agent.step(*now, input, &mut |effect| {
            effects.extend(effect_name(&effect));
            if let Effect::Publish { payload, .. } = effect {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                let message: Value = serde_json::from_slice(&bytes).unwrap();
                *report_token = message["clientToken"].as_str().unwrap_or_default().into();
            }
        });
        effects
    }

    /// The same behind further inputs.
    fn behind<'a>(mut self, inputs: impl IntoIterator<Item = Input<'a>>) -> Start {
        for input in inputs {
            self.take(input, 0);
        }
        self
    }

    /// The same in a session that has not read the shadow yet.
    fn offline(self, condition: &'static str) -> Start {
        self.behind([Input::LinkDown, Input::LinkUp, Input::Subscribed]).under(condition)
    }

    /// For one that is offline: the same without a session, and in one that may hear nothing yet.
    pub(super) fn without_session(&self) -> Vec<Start> {
        if self.agent.is_online() {
            return Vec::new();
        }
        let down = self.clone().behind([Input::LinkDown]);
        Vec::from([down.clone().behind([Input::LinkUp]), down])
    }
}

/// A device in a phase of an update to 1.0.5, with all messages through that are under way, and
/// nothing answered that the host was asked for.
fn reach(mut world: World, reached: impl Fn(AgentPhase) -> bool) -> World {
    world.wish("1.0.5", "u-1");
    come_to(&mut world, reached);
    world
}

fn come_to(world: &mut World, reached: impl Fn(AgentPhase) -> bool) {
    world.run_until(&reached);
    world.queue.retain(|event| matches!(event, Event::Message(..)));
    world.run_until(|_| false);
    assert!(reached(world.agent.phase()), "{:?}: {}", world.agent.phase(), world.transcript);
}

fn is_preflight(phase: AgentPhase) -> bool {
    phase == AgentPhase::Preflight
}

fn is_downloading(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Downloading { .. })
}

fn is_verifying(phase: AgentPhase) -> bool {
    phase == AgentPhase::Verifying
}

fn is_trial(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Trial { .. })
}

fn is_self_test(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::SelfTest { .. })
}

fn is_retry(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::AwaitRetry { .. })
}

fn is_deferred(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Deferred { .. })
}

fn asks_before(moment: Before) -> impl Fn(AgentPhase) -> bool {
    move |phase| matches!(phase, AgentPhase::Asking { before, .. } if before == moment)
}

/// Each phase: under what holds mostly, and under what makes a difference.
pub(super) fn starts() -> Vec<(Start, Vec<Start>)> {
    let mut starts = Vec::from([idle(), offered(), preflight(), asked(Before::Download)]);
    starts.push(deferred(Before::Download));
    starts.push(with_offline(World::connected(), is_downloading));
    starts.extend([verifying(), asked(Before::Restart), deferred(Before::Restart), reaching()]);
    starts.extend(arming());
    starts.extend([trial(), self_test()]);
    starts.extend(deciding());
    starts.push(retrying());
    starts
}

fn with_offline(world: World, reached: impl Fn(AgentPhase) -> bool) -> (Start, Vec<Start>) {
    let start = Start::of(&reach(world, reached));
    (start.clone(), Vec::from([start.offline("offline")]))
}

fn idle() -> (Start, Vec<Start>) {
    let mut failed = World::connected();
    failed.faults = [Reason::ManifestUntrusted.into()].into();
    failed.wish("1.0.5", "u-1");
    failed.run();
    let failed = Start::of(&failed).under("the last update was that for 1.0.5");
    let fault = Fault::from(Reason::ManifestUntrusted);
    let mut untold = Start::of(&reach(World::connected(), is_preflight));
    untold.take(Input::ManifestChecked(Err(fault)), 0);
    let wish = json!({"desired": {"config": {"firmware_version": "1.0.6"}}});
    let wish = json!({"current": {"state": wish, "version": 900}});
    let payload = wish.to_string().into_bytes();
    let report_token = untold.report_token.clone();
    untold.take(Input::ShadowArrived { topic: ShadowTopic::Documents, payload: &payload }, 0);
    let untold = Start { report_token, ..untold };
    let untold = untold.under("how the last update ended is not told yet, the wish is for 1.0.6");
    let idle = Start::of(&World::connected());
    (idle.clone(), Vec::from([idle.offline("offline"), failed, untold]))
}

fn offered() -> (Start, Vec<Start>) {
    let mut world = reach(World::connected(), is_downloading);
    world.link = false;
    world.restart(ResetCause::PowerOn);
    (Start::of(&world).offline(""), Vec::new())
}

fn preflight() -> (Start, Vec<Start>) {
    let mut bad = World::connected();
    bad.behaviour = Behaviour::Fail;
    for (release, update) in [("1.0.5", "u-1"), ("1.0.4", "u-2")] {
        bad.wish(release, update);
        bad.run();
    }
    let mut tried = World::connected();
    tried.faults = [Fault::from(Reason::ReleaseNotFound); 3].into();
    tried.wish("1.0.5", "u-1");
    for _ in 0..3 {
        tried.run_until(is_retry);
        while is_retry(tried.agent.phase()) {
            tried.pass();
        }
    }
    let (start, mut variants) = with_offline(World::connected(), is_preflight);
    let asking = reach(World::asking(&[]), is_preflight);
    variants.push(Start::of(&asking).under("the product wants to be asked"));
    variants.push(
        Start::of(&reach(bad, is_preflight)).under("its image rolled back, and nobody asked anew"),
    );
    come_to(&mut tried, is_preflight);
    variants.push(Start::of(&tried).under("it was not found three times before"));
    (start, variants)
}

fn verifying() -> (Start, Vec<Start>) {
    let (start, mut variants) = with_offline(World::connected(), is_verifying);
    let asking = reach(World::asking(&[]), is_verifying);
    variants.push(Start::of(&asking).under("the product wants to be asked"));
    let mut world = World::new();
    world.window =
        Some(DailyWindow { opens_minute: 120, closes_minute: 300, ahead_of_utc_minutes: 60 });
    world.restart(ResetCause::PowerOn);
    world.connect();
    world.run();
    variants.push(Start::of(&reach(world, is_verifying)).under("the restart window is closed"));
    (start, variants)
}

fn asked(before: Before) -> (Start, Vec<Start>) {
    with_offline(World::asking(&[]), asks_before(before))
}

fn deferred(before: Before) -> (Start, Vec<Start>) {
    let later = Decision::Later { wait_ms: 60_000, hold: Hold::Busy };
    let decisions = match before {
        Before::Download => Vec::from([later]),
        Before::Restart => Vec::from([Decision::Now, later]),
    };
    with_offline(World::asking(&decisions), is_deferred)
}

/// All is there and allowed, and the shadow was asked for.
fn reaching() -> (Start, Vec<Start>) {
    let verifying = Start::of(&reach(World::connected(), is_verifying));
    (verifying.behind([Input::SlotVerified(Ok(()))]), Vec::new())
}

/// Too late to cancel.
fn arming() -> [(Start, Vec<Start>); 2] {
    let (staged, offline) = with_offline(World::connected(), |phase| phase == AgentPhase::Staged);
    let armed = || [Input::TrialBootArmed(Ok(()))];
    let activating = staged.clone().behind(armed());
    let activating = (activating.clone(), Vec::from([activating.offline("offline")]));
    [(staged, offline), activating]
}

/// Firmware that nobody asked for is on trial, beside an update under way or not.
fn by_cable(mut world: World, reached: impl Fn(AgentPhase) -> bool) -> World {
    world.flash.slots[0] = Some(version("1.0.9"));
    world.flash.entries[0] = EntryState::New;
    world.restart(ResetCause::PowerOn);
    come_to(&mut world, reached);
    world
}

const BY_CABLE: &str = "firmware that came by cable";
const BY_CABLE_IN_UPDATE: &str = "firmware that came by cable, the update is under way";

fn trial() -> (Start, Vec<Start>) {
    let world = reach(World::connected(), is_trial);
    let facts = boot_facts(&world.flash, ResetCause::Software);
    let stored = Stored { journal: &world.flash.journal, ..Stored::default() };
    let config = AgentConfig { without_broker: WithoutBroker::Keep, ..config() };
    let agent = Agent::start(config, &facts, stored, Moment::default(), &mut |_| {});
    let start = Start::of(&world);
    let keeps = Start { agent, ..start.clone() };
    let cable = Start::of(&by_cable(World::connected(), is_trial));
    let variants = [keeps.offline("it may stay without broker"), cable.offline(BY_CABLE)];
    (start.offline(""), Vec::from(variants))
}

fn self_test() -> (Start, Vec<Start>) {
    let (start, mut variants) = with_offline(World::connected(), is_self_test);
    let cable = Start::of(&by_cable(World::connected(), is_self_test));
    variants.push(cable.under(BY_CABLE));
    (start, variants)
}

/// The self-test is over, for good or bad.
fn deciding() -> [(Start, Vec<Start>); 2] {
    [Ok(()), Err(Reason::SelfTestFailed)].map(|result| {
        let decided = |world: &World| Start::of(world).behind([Input::SelfTestEnded(result)]);
        let start = decided(&reach(World::connected(), is_self_test));
        let alone = decided(&by_cable(World::connected(), is_self_test)).under(BY_CABLE);
        let under_way = reach(World::connected(), is_downloading);
        let beside = decided(&by_cable(under_way, is_self_test)).under(BY_CABLE_IN_UPDATE);
        (start.clone(), Vec::from([start.offline("offline"), alone, beside]))
    })
}

fn retrying() -> (Start, Vec<Start>) {
    let failed = |reason| {
        let mut world = World::connected();
        world.faults = [Fault::from(reason)].into();
        Start::of(&reach(world, is_retry))
    };
    let start = failed(Reason::ServerError);
    let offline = start.clone().offline("offline");
    let of_link = failed(Reason::LinkDownAtInstall);
    let of_link = of_link.offline("offline, for want of the link");
    (start, Vec::from([offline, of_link]))
}
