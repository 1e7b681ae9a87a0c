use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use expect_test::expect_file;
use otaru_wire::{Reason, ShadowTopic};
use serde_json::json;
use std::sync::LazyLock;

use super::flash::{target, version};
use super::world::{Event, World};
use crate::{AgentPhase, Before, Decision, Effect, Fault, Hold, Input, Moment, ResetCause};

const HEADER: &str = "\
# The phases of an update

What the agent does with what happens, printed by its test `transition_table`. What is not here changes no phase. Messages
and log lines are left out; what each phase and effect is stands in `AgentPhase` and `Effect`.

| phase | what happens | next phase | effects |
| --- | --- | --- | --- |
";

/// An agent in each phase of an update, by running one that far.
fn phases() -> Vec<(String, World)> {
    let phases: [fn(AgentPhase) -> bool; 8] = [
        |phase| phase == AgentPhase::Idle,
        |phase| phase == AgentPhase::Preflight,
        |phase| matches!(phase, AgentPhase::Downloading { .. }),
        |phase| phase == AgentPhase::Verifying,
        |phase| phase == AgentPhase::Staged,
        |phase| matches!(phase, AgentPhase::Trial { .. }),
        |phase| matches!(phase, AgentPhase::SelfTest { .. }),
        |phase| phase == AgentPhase::Confirming,
    ];
    let reach = |reached: fn(AgentPhase) -> bool| {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(reached);
        world
    };
    let mut worlds: Vec<World> = phases.into_iter().map(reach).collect();
    let mut waiting = World::connected();
    waiting.faults.push_back(Reason::ServerError.into());
    waiting.wish("1.0.5", "u-1");
    waiting.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. }));
    worlds.push(waiting);
    let mut resuming = World::connected();
    resuming.wish("1.0.5", "u-1");
    resuming.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    resuming.link = false;
    resuming.restart(ResetCause::PowerOn);
    worlds.push(resuming);
    let mut worlds: Vec<_> =
        worlds.into_iter().map(|world| (phase_name(world.agent.phase()), world)).collect();
    for (before, when) in [(Before::Download, "download"), (Before::Restart, "restart")] {
        for world in [asked(before), deferred(before)] {
            let phase = phase_name(world.agent.phase());
            worlds.push((format!("{phase}, before the {when}"), world));
        }
    }
    worlds
}

fn asked(moment: Before) -> World {
    let mut world = World::asking(&[]);
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Asking { before, .. } if before == moment));
    world
}

fn deferred(moment: Before) -> World {
    let later = Decision::Later { wait_ms: 60_000, hold: Hold::Busy };
    let mut world = asked(moment);
    world.queue.clear();
    world.queue.push_back(Event::Input(Input::ProductDecided(later)));
    world.run_until(|phase| matches!(phase, AgentPhase::Deferred { .. }));
    world
}

static WISH: LazyLock<Vec<u8>> = LazyLock::new(|| documents("1.0.5"));
static OTHER_WISH: LazyLock<Vec<u8>> = LazyLock::new(|| documents("1.0.6"));
static NO_WISH: LazyLock<Vec<u8>> = LazyLock::new(|| documents("1.0.4"));

fn documents(release: &str) -> Vec<u8> {
    let state = json!({ "desired": { "config": { "firmware_version": release } } });
    json!({ "current": { "state": state, "version": 1000 } }).to_string().into_bytes()
}

fn message(payload: &'static [u8]) -> Input<'static> {
    Input::ShadowArrived { topic: ShadowTopic::Documents, payload }
}

fn inputs() -> Vec<(&'static str, Input<'static>)> {
    let gone = Fault::from(Reason::ReleaseGone);
    let flaky = Fault::from(Reason::ServerError);
    Vec::from([
        ("ManifestChecked(ok)", Input::ManifestChecked(Ok(target(&version("1.0.5"))))),
        ("ManifestChecked(gone)", Input::ManifestChecked(Err(gone))),
        ("ManifestChecked(server error)", Input::ManifestChecked(Err(flaky))),
        ("BytesRead", Input::BytesRead { done: 900 }),
        ("DownloadEnded(ok)", Input::DownloadEnded(Ok(()))),
        ("DownloadEnded(server error)", Input::DownloadEnded(Err(flaky))),
        ("ProductDecided(now)", Input::ProductDecided(Decision::Now)),
        (
            "ProductDecided(later)",
            Input::ProductDecided(Decision::Later { wait_ms: 9, hold: Hold::LowBattery }),
        ),
        ("ProductDecided(refuse)", Input::ProductDecided(Decision::Refuse)),
        ("DecisionChanged", Input::DecisionChanged),
        ("SlotVerified(ok)", Input::SlotVerified(Ok(()))),
        ("SlotVerified(mismatch)", Input::SlotVerified(Err(Reason::DigestMismatch))),
        ("TrialBootArmed(ok)", Input::TrialBootArmed(Ok(()))),
        ("TrialBootArmed(flash failed)", Input::TrialBootArmed(Err(Reason::FlashFailed))),
        ("SelfTestEnded(ok)", Input::SelfTestEnded(Ok(()))),
        ("SelfTestEnded(failed)", Input::SelfTestEnded(Err(Reason::SelfTestFailed))),
        ("SlotConfirmed(ok)", Input::SlotConfirmed(Ok(()))),
        ("SlotConfirmed(flash failed)", Input::SlotConfirmed(Err(Reason::FlashFailed))),
        ("TimePassed", Input::TimePassed),
        ("wish for 1.0.5", message(&WISH)),
        ("wish for 1.0.6", message(&OTHER_WISH)),
        ("wish for what runs", message(&NO_WISH)),
    ])
}

fn phase_name(phase: AgentPhase) -> String {
    let debug = format!("{phase:?}");
    debug.split(' ').next().unwrap_or_default().into()
}

fn effect_name(effect: &Effect<'_>) -> Option<String> {
    let debug = format!("{effect:?}");
    let name = debug.split(['(', ' ']).next().unwrap_or_default();
    (!matches!(name, "Log" | "Publish")).then(|| name.into())
}

/// Every phase against every input, so a new arm shows up in review. What is not
/// listed changes nothing.
#[test]
fn transition_table() {
    let mut table = String::from(HEADER);
    for (phase, mut world) in phases() {
        // Late enough that a limit that should have passed has passed.
        let now = Moment { uptime_ms: 3_600_000, wall_ms: None, random: u64::MAX };
        let before = world.agent.phase();
        world.queue.clear();
        for (name, input) in inputs() {
            let mut agent = world.agent.clone();
            let at = match (&input, before) {
                (Input::TimePassed, _) => now,
                _ => Moment { uptime_ms: world.uptime_ms, ..now },
            };
            let mut effects = Vec::new();
            agent.step(at, input, &mut |effect| effects.extend(effect_name(&effect)));
            let after = agent.phase();
            if after == before {
                continue;
            }
            let next = phase_name(after);
            let effects = effects.join(", ");
            table += &format!("| {phase} | {name} | {next} | {effects} |\n");
        }
    }
    expect_file!["../../../phases.md"].assert_eq(&table);
}
