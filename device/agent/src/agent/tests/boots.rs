//! What the agent says and does at a boot that is no step of an update.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::flash::{Flash, boot_facts, image, target, version};
use super::world::{Behaviour, Event, World, config};
use crate::agent::{Agent, Stored};
use crate::{
    AgentPhase, Attempt, BootFacts, Effect, EntryState, Journal, Moment, ResetCause, Stage,
};

/// Power failed in the bootloader, and what was confirmed is gone: the server hears of it.
#[test]
fn a_confirmed_image_that_vanished_is_reported_as_rolled_back() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    world.flash.running = 0;
    world.flash.entries = [EntryState::Valid, EntryState::Missing];
    world.restart(ResetCause::PowerOn);
    world.run_until(|_| false);
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back reverted_after_confirm";
    assert_eq!(world.last_reported(), last);
}

/// It runs, and nothing says that it stays: confirmed is told when it was, and not before.
#[test]
fn firmware_whose_trial_was_not_marked_is_confirmed_by_its_own_test_alone() {
    for (behaviour, expected) in [
        (Behaviour::Pass, "runs 1.0.5 (confirmed), last u-1 confirmed "),
        (Behaviour::Fail, "runs 1.0.4 (rolled_back), last u-1 rolled_back self_test_failed"),
    ] {
        let mut world = World::connected();
        world.flash.marks_are_cut = true;
        world.behaviour = behaviour;
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| matches!(phase, AgentPhase::SelfTest { .. }));
        assert_eq!(world.flash.entries[1], EntryState::Undefined);
        world.queue.retain(|event| matches!(event, Event::Message(..)));
        world.run_until(|_| false);
        assert_eq!(world.last_reported(), "runs 1.0.5 (trial), last none none ");
        assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
        world.restart(ResetCause::PowerOn);
        world.run();
        assert_eq!(world.last_reported(), expected);
    }
}

/// The bootloader started it once more, so nobody but the agent says why it goes back.
#[test]
fn a_trial_that_the_bootloader_does_not_end_is_ended_by_name() {
    for (reset, reason) in [
        (ResetCause::Watchdog, "self_test_timed_out"),
        (ResetCause::Panic, "firmware_crashed"),
        (ResetCause::Software, "firmware_crashed"),
    ] {
        let mut world = World::connected();
        world.flash.marks_are_cut = true;
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| matches!(phase, AgentPhase::SelfTest { .. }));
        world.restart(reset);
        world.run();
        let expected = format!("runs 1.0.4 (rolled_back), last u-1 rolled_back {reason}");
        assert_eq!(world.last_reported(), expected);
    }
}

/// Nor does one that power ends run for ever, where nobody else counts.
#[test]
fn trials_that_no_bootloader_counts_are_three() {
    let mut world = World::connected();
    world.flash.marks_are_cut = true;
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    for _ in 0..2 {
        world.restart(ResetCause::PowerOn);
        assert!(matches!(world.agent.phase(), AgentPhase::Trial { .. }), "{}", world.transcript);
    }
    world.restart(ResetCause::PowerOn);
    world.run();
    let expected = "runs 1.0.4 (rolled_back), last u-1 rolled_back power_lost_in_trial";
    assert_eq!(world.last_reported(), expected);
}

/// What came to nothing before is no trial, whatever reset the device.
#[test]
fn what_rolled_back_and_is_started_again_goes_back_as_that() {
    let version = version("1.0.5");
    let mut flash = Flash::factory();
    flash.slots[1] = Some(version.clone());
    (flash.running, flash.entries[1]) = (1, EntryState::Undefined);
    let mut journal =
        Journal { confirmed: flash.slots[0].as_ref().map(image), ..Journal::default() };
    journal.bad_images.add(image(&version), None);
    for reset in [ResetCause::PowerOn, ResetCause::Watchdog, ResetCause::Panic] {
        let said = said(&journal, &boot_facts(&flash, reset));
        assert!(said.contains("going back: reverted_after_confirm"), "{reset:?}: {said}");
    }
}

/// What was logged at a boot.
fn said(journal: &Journal, facts: &BootFacts) -> String {
    let journal = journal.to_bytes();
    let stored = Stored { journal: &journal, ..Stored::default() };
    let mut said = Vec::new();
    let mut carry_out = |effect: Effect<'_>| {
        if let Effect::Log(line) = effect {
            said.push(line.message.concat());
        }
    };
    let _: Agent = Agent::start(config(), facts, stored, Moment::default(), &mut carry_out);
    said.join("\n")
}

#[test]
fn a_trial_that_cannot_go_back_by_itself_is_named_and_no_other() {
    let version = version("1.0.5");
    let mut flash = Flash::factory();
    flash.slots[1] = Some(version.clone());
    flash.running = 1;
    let attempt = Attempt {
        target: Some(target(&version)),
        stage: Stage::Staged,
        arms: 1,
        ..Attempt::new(version.clone(), None, None)
    };
    let on_trial = Journal { attempt: Some(attempt), ..Journal::default() };
    let confirmed = Journal { confirmed: Some(image(&version)), ..Journal::default() };
    for (entry, journal, expected) in [
        (EntryState::New, &on_trial, true),
        (EntryState::PendingVerify, &on_trial, false),
        (EntryState::New, &confirmed, false),
    ] {
        flash.entries[1] = entry;
        let said = said(journal, &boot_facts(&flash, ResetCause::PowerOn));
        assert_eq!(said.contains("left the trial unmarked"), expected, "{entry:?}: {said}");
    }
}

/// The update under way is about another image: its end is not that of the trial.
#[test]
fn a_trial_by_cable_neither_ends_nor_marks_the_update_under_way() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    world.flash.slots[0] = Some(version("1.0.9"));
    world.flash.entries[0] = EntryState::New;
    world.restart(ResetCause::PowerOn);
    assert!(matches!(world.agent.phase(), AgentPhase::Trial { .. }), "{}", world.transcript);
    let under_way = |world: &World| world.agent.journal().attempt.clone().map(|a| a.stage);
    assert_eq!(under_way(&world), Some(Stage::Fetching));
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    assert_eq!(world.flash.entries[0], EntryState::Valid);
    assert_eq!(under_way(&world), Some(Stage::Fetching));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}
