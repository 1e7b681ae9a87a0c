//! The first phase of a boot.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use otaru_wire::Reason;

use super::super::flash::{boot_facts, image, version};
use super::super::world::{World, faults};
use super::{effect_name, names, phase_of};
use crate::agent::{Agent, Stored};
use crate::{
    AgentPhase, Attempt, Decision, Effect, EntryState, Hold, Journal, Moment, NextAction,
    ResetCause, reconcile, retries_allowed,
};

const HEADER: &str = "
## At a boot

What the journal and the flash come to stands in [boots.md](boots.md); this is what follows from it.

| what the boot means | condition | first phase | effects |
| --- | --- | --- | --- |
";

names! {
    /// What a boot means, without the reason that is reported.
    name, NAMES, NextAction:
    NextAction::FollowWish => "FollowWish",
    NextAction::ResumeFetch => "ResumeFetch",
    NextAction::ArmAgain => "ArmAgain",
    NextAction::StartTrial => "StartTrial",
    NextAction::RollBackNow => "RollBackNow",
    NextAction::ReportConfirmed => "ReportConfirmed",
    NextAction::ReportRolledBack(_) => "ReportRolledBack",
    NextAction::ReportFailed(_) => "ReportFailed",
    NextAction::ReportReverted => "ReportReverted",
}

fn reach(mut world: World, reached: impl Fn(AgentPhase) -> bool) -> World {
    world.wish("1.0.5", "u-1");
    world.run_until(&reached);
    assert!(reached(world.agent.phase()), "{}", world.transcript);
    world
}

fn is_downloading(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Downloading { .. })
}

fn is_trial(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Trial { .. })
}

fn is_staged(phase: AgentPhase) -> bool {
    phase == AgentPhase::Staged
}

fn is_waiting(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::AwaitRetry { .. } | AgentPhase::Deferred { .. })
}

/// A device whose journal says this of the update under way.
fn journalled(mut world: World, change: impl Fn(&mut Attempt)) -> World {
    let mut journal = world.agent.journal().clone();
    change(journal.attempt.as_mut().expect("an update is under way"));
    world.flash.journal = journal.to_bytes().to_vec();
    world
}

/// Its last arm was not even written.
fn never_armed() -> World {
    let staged = reach(World::connected(), is_staged);
    let mut world = journalled(staged, |attempt| attempt.arms = 3);
    world.flash.entries[1] = EntryState::Missing;
    world
}

/// What was confirmed is gone.
fn reverted() -> World {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run();
    world.flash.running = 0;
    world.flash.entries = [EntryState::Valid, EntryState::Missing];
    world
}

/// An image whose confirmation read as nothing, so that its update ended as rolled back, and reads
/// as written now; with another update under way, or none.
fn came_back(next: Option<Attempt>) -> World {
    let mut world = World::connected();
    world.flash.slots[1] = Some(version("1.0.5"));
    world.flash.running = 1;
    world.flash.entries = [EntryState::Valid; 2];
    let confirmed = world.flash.slots[0].as_ref().map(image);
    let mut journal = Journal { attempt: next, confirmed, ..Journal::default() };
    journal.bad_images.add(image(&version("1.0.5")), None);
    world.flash.journal = journal.to_bytes().to_vec();
    world
}

/// What was there when the device went down, and how it came up again.
fn boots() -> Vec<(&'static str, World, ResetCause)> {
    use ResetCause::{Panic, PowerOn, Software, Watchdog};
    let downloading = reach(World::connected(), is_downloading);
    let crashes = |attempt: &mut Attempt| {
        for _ in 0..retries_allowed(Reason::FirmwareCrashed) {
            attempt.tries.add(Reason::FirmwareCrashed);
        }
    };
    let crashed = journalled(downloading.clone(), crashes);
    let mut retrying = World::connected();
    retrying.faults = faults(&[Reason::ServerError]);
    let (retrying, put_off) =
        (reach(retrying, is_waiting), "another try was put off, and the time is known");
    let decision = Decision::Later { wait_ms: 60_000, hold: Hold::Busy };
    let (deferred, later) =
        (reach(World::asking(&[decision]), is_waiting), "the product said later");
    let staged = reach(World::connected(), is_staged);
    let trial = reach(World::connected(), is_trial);
    let mut unmarked = World::connected();
    unmarked.flash.marks_are_cut = true;
    let another = Attempt::new(version("1.0.6"), None, None);
    let unknown = "what runs is confirmed, and the journal says that it rolled back";
    let confirming = reach(World::connected(), |phase| phase == AgentPhase::Confirming);
    Vec::from([
        ("", World::connected(), PowerOn),
        (unknown, came_back(None), PowerOn),
        ("", downloading.clone(), PowerOn),
        (unknown, came_back(Some(another)), PowerOn),
        ("after a crash or a hang", downloading.clone(), Panic),
        ("after a crash or a hang", downloading, Watchdog),
        ("after one crash too many", crashed, Panic),
        (put_off, retrying.clone(), PowerOn),
        (put_off, retrying, Watchdog),
        (later, deferred.clone(), PowerOn),
        (later, deferred, Watchdog),
        ("", trial.clone(), PowerOn),
        ("", staged, Software),
        ("", reach(unmarked, is_trial), Watchdog),
        ("", confirming, PowerOn),
        ("", trial, Panic),
        ("", never_armed(), PowerOn),
        ("", reverted(), PowerOn),
    ])
}

/// Every meaning of a boot, and the phase it begins with.
pub(super) fn table() -> String {
    let mut table = String::from(HEADER);
    let mut seen = BTreeSet::new();
    for (condition, mut world, reset) in boots() {
        world.flash.boot();
        let facts = boot_facts(&world.flash, reset);
        let journal = Journal::from_bytes(&world.flash.journal).unwrap();
        let action = name(&reconcile(&journal, &facts));
        let stored = Stored { journal: &world.flash.journal, ..Stored::default() };
        let mut effects = Vec::new();
        let mut carry_out = |effect: Effect<'_>| effects.extend(effect_name(&effect));
        let now = Moment { wall_ms: world.wall_ms, ..Moment::default() };
        let agent = Agent::start(world.config(), &facts, stored, now, &mut carry_out);
        let (phase, effects) = (phase_of(&agent), effects.join(", "));
        let line = format!("| {action} | {condition} | {phase} | {effects} |\n");
        if !table.ends_with(&line) {
            table += &line;
        }
        seen.insert(action);
    }
    assert_eq!(seen, NAMES.iter().copied().collect(), "each meaning is tried");
    table
}
