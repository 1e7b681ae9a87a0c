use alloc::format;
use alloc::vec::Vec;

use expect_test::expect_file;
use otaru_wire::ReleaseVersion;

use super::*;
use crate::{Ended, Target};

const HEADER: &str = "\
# What a boot means

The one next action, by what the journal says about the update under way and by what flash and chip say at the boot. Printed
by the agent's test `boot_table`. `old` is the image that ran when the update began, `new` the one it is about; an arm is one
writing of the boot selector, of at most three.

";

const OLD: &[u8] = b"old image";
const NEW: &[u8] = b"new image";
const BAD: &[u8] = b"bad image";

fn attempt(stage: Stage, arms: u8, verdict: Option<Reason>) -> Attempt {
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let target = Target {
        version: version.clone(),
        sha256: Digest::of(NEW),
        size_bytes: 100,
        sequence: 5,
        security_counter: 0,
    };
    Attempt { target: Some(target), stage, arms, verdict, ..Attempt::new(version, None, None) }
}

fn facts(runs: &[u8], running: EntryState, other: EntryState, reset: ResetCause) -> BootFacts {
    BootFacts {
        running: Running {
            slot: "ota_0",
            sha256: Digest::of(runs),
            label: None,
            label_is_certain: true,
            sequence: 0,
            security_counter: 0,
        },
        running_entry: running,
        other_entry: other,
        other_image: None,
        reset,
    }
}

/// Every stage against what flash can look like after it: power cuts anywhere lead
/// to exactly one next action.
#[test]
fn boot_table() {
    use EntryState::*;
    use ResetCause::*;
    use Stage::*;
    let verdict = Some(Reason::SelfTestFailed);
    let stages = [
        ("no attempt", None),
        ("fetching", Some(attempt(Fetching, 0, None))),
        ("staged", Some(attempt(Staged, 1, None))),
        ("staged, last arm", Some(attempt(Staged, ARMS_ALLOWED, None))),
        ("trial", Some(attempt(Trial, 1, None))),
        ("trial, last arm", Some(attempt(Trial, ARMS_ALLOWED, None))),
        ("trial, decided", Some(attempt(Trial, 1, verdict))),
    ];
    let flashes = [
        ("old runs, new untouched, power on", OLD, Valid, Missing, PowerOn),
        ("old runs, new armed, power on", OLD, Valid, New, PowerOn),
        ("old runs, new did not load, restart", OLD, Valid, PendingVerify, Software),
        ("old runs, new aborted, power on", OLD, Valid, Aborted, PowerOn),
        ("old runs, new aborted, crash", OLD, Valid, Aborted, Panic),
        ("old runs, new aborted, hang", OLD, Valid, Aborted, Watchdog),
        ("old runs, new marked bad, restart", OLD, Valid, Invalid, Software),
        ("old runs, new worn out, power on", OLD, Valid, WornOut, PowerOn),
        ("old runs, new worn out, hang", OLD, Valid, WornOut, Watchdog),
        ("new runs on trial, restart", NEW, PendingVerify, Valid, Software),
        ("new runs, no rollback, power on", NEW, New, Valid, PowerOn),
        ("new runs, no rollback, restart", NEW, New, Valid, Software),
        ("new runs, state unknown, hang", NEW, Undefined, Valid, Watchdog),
        ("new runs, confirmed, power on", NEW, Valid, Valid, PowerOn),
        ("new runs, confirmed, hang", NEW, Valid, Valid, Watchdog),
        ("what rolled back before runs, given up, power on", BAD, Aborted, Missing, PowerOn),
        ("what rolled back before runs, not named, power on", BAD, Missing, Missing, PowerOn),
        ("what rolled back before runs, confirmed, power on", BAD, Valid, Missing, PowerOn),
    ];
    let names: Vec<&str> = stages.iter().map(|(name, _)| *name).collect();
    let mut table = format!("{HEADER}| flash | {} |\n", names.join(" | "));
    table += &format!("| --- |{}\n", " --- |".repeat(names.len()));
    for (flash, runs, running, other, reset) in flashes {
        let facts = facts(runs, running, other, reset);
        table += &format!("| {flash} |");
        for (_, attempt) in &stages {
            let attempt = attempt.clone();
            let confirmed = Some(Digest::of(OLD));
            let mut journal = Journal { attempt, confirmed, ..Journal::default() };
            journal.bad_images.add(Digest::of(BAD), None);
            table += &format!(" {:?} |", reconcile(&journal, &facts));
        }
        table += "\n";
    }
    expect_file!["../../boots.md"].assert_eq(&table);
}

#[test]
fn an_image_on_trial_is_decided_about_before_another_is_fetched() {
    let journal =
        Journal { attempt: Some(attempt(Stage::Fetching, 0, None)), ..Journal::default() };
    for entry in [EntryState::PendingVerify, EntryState::New] {
        let facts = facts(b"third", entry, EntryState::Valid, ResetCause::PowerOn);
        assert_eq!(reconcile(&journal, &facts), NextAction::StartTrial, "{entry:?}");
    }
}

/// A bit of its entry turned over: nothing about it is in doubt, and no broker is needed for it.
#[test]
fn what_was_confirmed_needs_no_second_trial() {
    for attempt in [None, Some(attempt(Stage::Fetching, 0, None))] {
        let expected = match attempt {
            None => NextAction::FollowWish,
            Some(_) => NextAction::ResumeFetch,
        };
        let confirmed = Some(Digest::of(OLD));
        let journal = Journal { attempt, confirmed, ..Journal::default() };
        for entry in [EntryState::PendingVerify, EntryState::New] {
            let facts = facts(OLD, entry, EntryState::Valid, ResetCause::PowerOn);
            assert_eq!(reconcile(&journal, &facts), expected, "{entry:?}");
        }
    }
}

#[test]
fn a_confirmed_image_that_vanished_is_reported() {
    let journal = Journal {
        confirmed: Some(Digest::of(NEW)),
        previous: Some(Digest::of(OLD)),
        ..Journal::default()
    };
    let facts = facts(OLD, EntryState::Valid, EntryState::Missing, ResetCause::PowerOn);
    assert_eq!(reconcile(&journal, &facts), NextAction::ReportReverted);
}

/// Its entry's state is none the bootloader knows, so it was started without a trial.
#[test]
fn an_image_that_rolled_back_does_not_stay() {
    let mut journal = Journal { confirmed: Some(Digest::of(OLD)), ..Journal::default() };
    journal.bad_images.add(Digest::of(NEW), None);
    let started = |entry| facts(NEW, entry, EntryState::Invalid, ResetCause::PowerOn);
    // Also for want of anything better, when a bit of the confirmed entry turned over.
    // Power in what gave it up may leave a trial as if nobody had.
    use EntryState::{Aborted, Invalid, Missing, New, PendingVerify, Undefined, Valid, WornOut};
    let attempts = [None, Some(attempt(Stage::Fetching, 0, None))];
    for attempt in attempts {
        // Its slot was about to be written, and the download would go over what was confirmed.
        journal.attempt = attempt.map(|attempt| Attempt { target: None, ..attempt });
        for entry in [Undefined, Missing, Invalid, Aborted, WornOut, New, PendingVerify] {
            assert_eq!(reconcile(&journal, &started(entry)), NextAction::RollBackNow, "{entry:?}");
        }
    }
    journal.attempt = None;
    // It was confirmed later, and another bit turned over.
    journal.confirmed = Some(Digest::of(NEW));
    assert_eq!(reconcile(&journal, &started(EntryState::Undefined)), NextAction::FollowWish);
    journal.confirmed = Some(Digest::of(OLD));
    // Its entry says that it was confirmed since: somebody wants it.
    assert_eq!(reconcile(&journal, &started(Valid)), NextAction::FollowWish);
}

#[test]
fn an_image_flashed_by_cable_is_no_reversion() {
    let journal = Journal { confirmed: Some(Digest::of(NEW)), ..Journal::default() };
    let facts = facts(b"third", EntryState::Undefined, EntryState::Missing, ResetCause::PowerOn);
    assert_eq!(reconcile(&journal, &facts), NextAction::FollowWish);
}

/// Its entry says nothing any more: what the journal says about its end ranks above that.
#[test]
fn what_failed_and_runs_again_goes_back_and_nothing_else_does() {
    let ended = |outcome, image| Journal {
        last: Some(Ended {
            update: None,
            version: ReleaseVersion::new("1.0.5").unwrap(),
            sha256: Some(Digest::of(image)),
            outcome,
            reason: None,
        }),
        ..Journal::default()
    };
    let facts = facts(NEW, EntryState::Undefined, EntryState::Valid, ResetCause::PowerOn);
    for (outcome, image, expected) in [
        (Outcome::RolledBack, NEW, NextAction::RollBackNow),
        (Outcome::Failed, NEW, NextAction::RollBackNow),
        (Outcome::Confirmed, NEW, NextAction::FollowWish),
        (Outcome::RolledBack, OLD, NextAction::FollowWish),
    ] {
        assert_eq!(reconcile(&ended(outcome, image), &facts), expected, "{outcome:?}");
    }
}
