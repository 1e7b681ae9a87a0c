//! The product is asked before the download and before the restart.

use alloc::format;
use alloc::string::String;

use expect_test::expect;
use otaru_wire::Reason;
use serde_json::json;

use super::flash::version;
use super::world::{Event, World, faults};
use crate::{AgentPhase, Decision, Hold, Input, ResetCause};

const HOUR_MS: u64 = 3_600_000;

fn later(hours: u64) -> Decision {
    Decision::Later { wait_ms: hours * HOUR_MS, hold: Hold::NotNow }
}

fn is_deferred(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Deferred { .. })
}

/// A device whose product said later for three hours, before the nth question.
fn deferred(answers_before: usize) -> World {
    let mut decisions = [Decision::Now; 2];
    decisions[answers_before] = later(3);
    let mut world = World::asking(&decisions[..=answers_before]);
    world.wish("1.0.5", "u-1");
    world.run_until(is_deferred);
    assert!(is_deferred(world.agent.phase()), "{}", world.transcript);
    world
}

fn tries(world: &World) -> Option<u32> {
    world.agent.journal().attempt.as_ref().map(|attempt| attempt.tries.number())
}

fn questions(world: &World) -> String {
    let lines = world.transcript.lines().filter(|line| {
        line.starts_with("asked") || line.starts_with("download") || line.starts_with("boot")
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_update_waits_for_the_product_twice_and_goes_on() {
    let mut world = World::asking(&[later(1), Decision::Now, later(2), Decision::Now]);
    world.wish("1.0.5", "u-1");
    world.run();
    let lines = world.transcript.lines().filter(|line| !line.starts_with("report"));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        INFO update to 1.0.5 begins
        progress notified 0/0 #1
        asked before Download of 1.0.5
        INFO update to 1.0.5: deferred_on_device for 3600000 ms
        progress waiting 0/1000 #1 until deferred_on_device
        progress notified 0/1000 #1
        asked before Download of 1.0.5
        download
        progress downloading 0/1000 #1
        progress verifying 1000/1000 #1
        asked before Restart of 1.0.5
        INFO update to 1.0.5: deferred_on_device for 7200000 ms
        progress waiting 1000/1000 #1 until deferred_on_device
        progress waiting 1000/1000 #1 until deferred_on_device
        progress verifying 1000/1000 #1
        download
        progress verifying 1000/1000 #1
        progress verifying 1000/1000 #1
        asked before Restart of 1.0.5
        progress restarting 1000/1000 #1
        boot of slot 1 after Software
        INFO trial boot: looking for the broker
        progress testing 1000/1000 #1
        progress confirmed 1000/1000 #1
        INFO update to 1.0.5: confirmed
    "#]]
    .assert_eq(&lines);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_refusal_ends_the_update_as_cancelled_and_is_not_asked_about_again() {
    for answers in [&[Decision::Refuse][..], &[Decision::Now, Decision::Refuse]] {
        let mut world = World::asking(answers);
        world.wish("1.0.5", "u-1");
        world.run();
        let last = "runs 1.0.4 (confirmed), last u-1 cancelled refused_on_device";
        assert_eq!(world.last_reported(), last);
        let asked = questions(&world);
        world.restart(ResetCause::PowerOn);
        world.run();
        assert_eq!(questions(&world), format!("{asked}boot of slot 0 after PowerOn\n"));
        // The image is on no list of bad ones: who asks anew gets it.
        world.wish("1.0.4", "u-2");
        world.run();
        world.wish("1.0.5", "u-3");
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-3 confirmed ");
    }
}

/// Its signer's key may have been withdrawn since it was fetched.
#[test]
fn what_waited_for_its_restart_is_checked_again() {
    let mut world = deferred(1);
    let boots = world.boots;
    world.faults = faults(&[Reason::ManifestUntrusted]);
    world.run();
    let last = "runs 1.0.4 (confirmed), last u-1 failed manifest_untrusted";
    assert_eq!(world.last_reported(), last);
    assert_eq!(world.boots, boots);
}

#[test]
fn a_deferral_costs_no_try_however_often() {
    let mut world = World::asking(&[later(1); 40]);
    world.wish("1.0.5", "u-1");
    for _ in 0..30 {
        world.run_until(|phase| phase == AgentPhase::Preflight);
        world.run_until(is_deferred);
        assert_eq!(tries(&world), Some(0));
    }
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    assert!(!world.transcript.contains("try "), "{}", world.transcript);
}

#[test]
fn a_wish_taken_back_or_replaced_ends_a_deferral_at_once() {
    for answers_before in [0, 1] {
        let mut world = deferred(answers_before);
        world.desire(json!({"config": {"firmware_version": "1.0.4"}, "update": null}));
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.4 (confirmed), last u-1 cancelled cancelled");
        assert!(world.uptime_ms < HOUR_MS);

        let mut world = deferred(answers_before);
        world.wish("1.0.6", "u-2");
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        assert!(world.uptime_ms < HOUR_MS, "{}", world.transcript);
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.6 (confirmed), last u-2 confirmed ");
    }
}

#[test]
fn a_new_id_for_the_same_release_asks_at_once() {
    let mut world = deferred(0);
    world.wish("1.0.5", "u-2");
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    assert!(world.uptime_ms < HOUR_MS);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-2 confirmed ");
}

#[test]
fn a_button_ends_the_wait_at_once() {
    for answers_before in [0, 1] {
        let mut world = deferred(answers_before);
        world.queue.push_back(Event::Input(Input::DecisionChanged));
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        assert!(world.uptime_ms < HOUR_MS, "{}", world.transcript);
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    }
}

#[test]
fn a_button_pressed_while_the_link_is_away_is_remembered_over_a_restart() {
    for answers_before in [0, 1] {
        let mut world = deferred(answers_before);
        world.disconnect();
        world.queue.push_back(Event::Input(Input::DecisionChanged));
        world.run();
        assert!(is_deferred(world.agent.phase()), "nothing is fetched without a link");
        world.restart(ResetCause::PowerOn);
        world.run();
        assert!(is_deferred(world.agent.phase()));
        world.connect();
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        assert!(world.uptime_ms < HOUR_MS, "{}", world.transcript);
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    }
}

/// A deferral before the restart keeps the slot: nothing is fetched a second time, and what
/// stands there is read again before it is believed.
#[test]
fn a_verified_slot_survives_a_deferral_without_power() {
    let mut world = deferred(1);
    world.transcript.clear();
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    expect![[r#"
        boot of slot 0 after PowerOn
        download
        asked before Restart of 1.0.5
        boot of slot 1 after Software
    "#]]
    .assert_eq(&questions(&world));

    let mut world = deferred(1);
    world.transcript.clear();
    world.flash.slots[1] = Some(version("0.0.1"));
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    expect![[r#"
        boot of slot 0 after PowerOn
        download
        asked before Restart of 1.0.5
        boot of slot 1 after Software
    "#]]
    .assert_eq(&questions(&world));
}

#[test]
fn time_without_power_counts_where_the_clock_is_known() {
    for has_clock in [true, false] {
        let mut world = deferred(0);
        // Two of three hours pass in the dark.
        let noon = world.wall_ms.unwrap() + 2 * HOUR_MS as i64;
        world.wall_ms = has_clock.then_some(noon);
        world.restart(ResetCause::PowerOn);
        world.run_until(is_deferred);
        while is_deferred(world.agent.phase()) {
            world.pass();
        }
        let hours = if has_clock { 1 } else { 3 };
        assert_eq!(world.uptime_ms / HOUR_MS, hours, "{}", world.transcript);
    }
}

/// What is left is written down every hour; the time by the clock stays beside it.
#[test]
fn time_without_power_counts_after_hours_of_waiting_too() {
    let mut world = deferred(0);
    while world.uptime_ms < HOUR_MS {
        world.pass();
    }
    // One of three hours has passed, and one and a half pass in the dark.
    world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms + 5 * HOUR_MS as i64 / 2);
    world.restart(ResetCause::PowerOn);
    world.run_until(is_deferred);
    while is_deferred(world.agent.phase()) {
        world.pass();
    }
    let minutes = world.uptime_ms / 60_000;
    assert!((25..=30).contains(&minutes), "{minutes}: {}", world.transcript);
}

/// What is due is due whatever a clock says that is set back later.
#[test]
fn a_button_leaves_no_time_written_down() {
    let mut world = deferred(0);
    let written = |world: &World| world.agent.journal().attempt.clone()?.deferral;
    assert!(written(&world).is_some_and(|deferral| deferral.until_ms.is_some()));
    world.disconnect();
    world.queue.push_back(Event::Input(Input::DecisionChanged));
    world.run();
    let deferral = written(&world).expect("it waits for the link");
    assert_eq!((deferral.left_ms, deferral.until_ms), (1, None));
}

#[test]
fn a_button_asks_anew_while_a_question_is_open() {
    let mut world = World::asking(&[]);
    world.unanswered = 1;
    world.wish("1.0.5", "u-1");
    world.run_until(|_| false);
    assert!(matches!(world.agent.phase(), AgentPhase::Asking { .. }), "{}", world.transcript);
    assert_eq!(world.transcript.matches("asked before Download").count(), 1);
    world.queue.push_back(Event::Input(Input::DecisionChanged));
    world.run_until(|_| false);
    assert_eq!(world.transcript.matches("asked before Download").count(), 2);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_wait_is_bounded_both_ways() {
    for (wait_ms, expected_ms) in [(0, 30_000), (u64::MAX, 7 * 24 * HOUR_MS)] {
        let decision = Decision::Later { wait_ms, hold: Hold::LowBattery };
        let mut world = World::asking(&[decision]);
        world.wish("1.0.5", "u-1");
        world.run_until(is_deferred);
        let AgentPhase::Deferred { until_ms, reason } = world.agent.phase() else { panic!() };
        assert_eq!((until_ms - world.uptime_ms, reason), (expected_ms, Reason::LowBattery));
    }
}

#[test]
fn a_question_that_nobody_answers_is_put_off() {
    let mut world = World::asking(&[]);
    world.unanswered = 1;
    world.wish("1.0.5", "u-1");
    world.run();
    assert!(world.transcript.contains("deferred_on_device for 3600000 ms"), "{}", world.transcript);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_download_that_is_resumed_is_asked_about_again() {
    let mut world = World::asking(&[]);
    world.faults = faults(&[Reason::ServerError]);
    world.cut_downloads.push_back(300);
    world.wish("1.0.5", "u-1");
    world.run();
    expect![[r#"
        asked before Download of 1.0.5
        download
        asked before Download of 1.0.5
        download
        asked before Restart of 1.0.5
        boot of slot 1 after Software
    "#]]
    .assert_eq(&questions(&world));
}

/// Every effect in turn is the last before power goes away, in an update that is put off at
/// both questions: no promise is broken, nothing is lost, no restart comes unasked.
#[test]
fn a_cut_at_every_effect_of_a_deferral_costs_time_only() {
    for has_clock in [true, false] {
        let mut cuts = 0;
        for cut in 0.. {
            let mut world = World::asking(&[later(3), Decision::Now, later(2), Decision::Now]);
            world.wall_ms = world.wall_ms.filter(|_| has_clock);
            world.wish("1.0.5", "u-1");
            world.fuse = Some(cut);
            world.run();
            let is_over = world.fuse.is_some();
            world.run();
            let last = world.last_reported();
            assert_eq!(last, "runs 1.0.5 (confirmed), last u-1 confirmed ", "cut {cut}");
            assert!(!world.transcript.contains("too early"), "cut {cut}\n{}", world.transcript);
            if is_over {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 25, "{cuts} cuts");
    }
}
