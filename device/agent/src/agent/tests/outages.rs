//! Waits that run out while there is no link, or no clock that could be believed.

use otaru_wire::{Reason, ShadowTopic, ShadowVerb};

use super::world::{Event, World, config};
use crate::{AgentPhase, DailyWindow, Decision, Fault, Hold, Input, Moment, ResetCause};

const HOUR_MS: u64 = 3_600_000;

/// Runs until the device is at rest without a step of time.
fn settle(world: &mut World) {
    world.run_until(|_| false);
}

/// The device stays on for so long; how often it woke.
fn stay_on(world: &mut World, for_ms: u64) -> u32 {
    let until_ms = world.uptime_ms + for_ms;
    let mut wakes = 0;
    settle(world);
    while world.agent.wake_at_ms().is_some_and(|at| at <= until_ms) {
        wakes += 1;
        assert!(wakes < 1_000, "busy: {}", world.transcript);
        world.pass();
        settle(world);
    }
    world.uptime_ms = until_ms;
    wakes
}

/// A reset that takes no time; the clock, if there is one, goes on.
fn reset(world: &mut World, cause: ResetCause) {
    world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms + world.uptime_ms as i64);
    world.restart(cause);
    settle(world);
}

/// One outage with far more resets than a crash has tries, hours apart; then the link is back.
fn outlast_an_outage(world: &mut World) {
    world.disconnect();
    for _ in 0..25 {
        stay_on(world, 5 * HOUR_MS);
        reset(world, ResetCause::Watchdog);
    }
    assert!(!world.transcript.contains("firmware_crashed"), "{}", world.transcript);
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

fn is_retry(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::AwaitRetry { .. })
}

fn is_deferred(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Deferred { .. })
}

/// A device that waits with a clock or without, for a server that wants to be asked in so long.
fn waiting(has_clock: bool, wait_ms: u64) -> World {
    let mut world = World::connected();
    world.wall_ms = world.wall_ms.filter(|_| has_clock);
    world.faults = [Fault { reason: Reason::ServerError, retry_after_ms: Some(wait_ms) }].into();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    assert!(is_retry(world.agent.phase()), "{}", world.transcript);
    world
}

/// A device whose product said later before the nth question.
fn deferred(answers_before: usize) -> World {
    let mut decisions = [Decision::Now; 2];
    decisions[answers_before] = Decision::Later { wait_ms: 2 * HOUR_MS, hold: Hold::NotNow };
    let mut world = World::asking(&decisions[..=answers_before]);
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    assert!(is_deferred(world.agent.phase()), "{}", world.transcript);
    world
}

/// No try is made without a link.
#[test]
fn resets_behind_a_wait_that_ran_out_offline_are_no_crashes_of_the_update() {
    for has_clock in [true, false] {
        outlast_an_outage(&mut waiting(has_clock, 2 * HOUR_MS));
    }
}

#[test]
fn resets_behind_a_deferral_that_ran_out_offline_are_no_crashes_of_the_update() {
    for answers_before in [0, 1] {
        let mut world = deferred(answers_before);
        outlast_an_outage(&mut world);
        let asked = ["asked before Download", "asked before Restart"][answers_before];
        assert_eq!(world.transcript.matches(asked).count(), 2, "{}", world.transcript);
    }
}

#[test]
fn a_window_that_opens_offline_is_not_forgotten_at_a_crash() {
    let mut world = World::new();
    // 11:40 of local time.
    let window = DailyWindow { opens_minute: 780, closes_minute: 900, ahead_of_utc_minutes: 60 };
    world.window = Some(window);
    world.restart(ResetCause::PowerOn);
    world.connect();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    world.disconnect();
    stay_on(&mut world, 3 * HOUR_MS);
    reset(&mut world, ResetCause::Watchdog);
    assert!(is_deferred(world.agent.phase()), "{}", world.transcript);
}

/// It says that the wait is over, not that anything begins.
#[test]
fn a_crash_behind_a_button_pressed_offline_is_none_of_the_update() {
    let mut world = deferred(0);
    world.disconnect();
    world.queue.push_back(Event::Input(Input::DecisionChanged));
    settle(&mut world);
    reset(&mut world, ResetCause::Panic);
    assert!(is_deferred(world.agent.phase()), "{}", world.transcript);
}

/// Power went while it tried; since then it did nothing.
#[test]
fn a_crash_of_a_device_that_waits_again_for_the_link_is_none_of_the_update() {
    let mut world = waiting(true, HOUR_MS);
    while world.agent.phase() != AgentPhase::Preflight {
        world.pass();
    }
    world.disconnect();
    for cause in [ResetCause::PowerOn, ResetCause::Watchdog] {
        reset(&mut world, cause);
        assert!(is_retry(world.agent.phase()), "{}", world.transcript);
    }
    assert!(!world.transcript.contains("firmware_crashed"), "{}", world.transcript);
}

/// Chance may make a wait as short as that.
#[test]
fn a_wait_of_no_time_is_no_try_either() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.queue.clear();
    world.disconnect();
    settle(&mut world);
    let now = Moment { uptime_ms: world.uptime_ms, random: 0, ..Moment::default() };
    let failed = Input::ManifestChecked(Err(Reason::LinkDownAtInstall.into()));
    world.agent.step(now, failed, &mut |_| {});
    world.flash.journal = world.agent.journal().to_bytes().to_vec();
    reset(&mut world, ResetCause::Watchdog);
    assert!(!world.transcript.contains("firmware_crashed"), "{}", world.transcript);
}

/// What is left is written down every hour until nothing is, and then no more.
#[test]
fn a_wait_that_ran_out_offline_keeps_no_device_busy() {
    for mut world in [waiting(true, 3 * HOUR_MS), waiting(false, 3 * HOUR_MS), deferred(1)] {
        world.disconnect();
        let wakes = stay_on(&mut world, 24 * HOUR_MS);
        assert!(wakes <= 3, "{wakes} wakes");
        assert_eq!(world.agent.wake_at_ms(), None);
        reset(&mut world, ResetCause::PowerOn);
        let wakes = stay_on(&mut world, 24 * HOUR_MS);
        assert!(wakes <= 1, "{wakes} wakes");
    }
}

/// A device that is on for ten minutes, and off for so long; how often until it tries again.
fn boots_until_it_tries(world: &mut World, off_ms: i64) -> u32 {
    for boot in 0..12 {
        stay_on(world, 600_000);
        if !is_retry(world.agent.phase()) {
            return boot;
        }
        world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms + off_ms);
        reset(world, ResetCause::PowerOn);
    }
    panic!("it never tries again: {}", world.transcript);
}

/// As where a clock is set by the network, and that is away.
#[test]
fn a_wait_written_with_a_clock_is_halved_at_a_boot_without() {
    let mut world = waiting(true, config().retry_cap_ms);
    world.wall_ms = None;
    reset(&mut world, ResetCause::PowerOn);
    let boots = boots_until_it_tries(&mut world, 0);
    assert!(boots > 2, "{boots} boots are no wait");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// It cannot end later than what was left says, and from there on the time without power counts.
#[test]
fn a_wait_written_with_a_clock_years_ahead_is_over_by_the_right_one() {
    let years_ms = 20 * 365 * 86_400_000;
    let mut world = World::connected();
    world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms + years_ms);
    let fault = Fault { reason: Reason::ServerError, retry_after_ms: Some(config().retry_cap_ms) };
    world.faults = [fault].into();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms - years_ms);
    reset(&mut world, ResetCause::PowerOn);
    let boots = boots_until_it_tries(&mut world, HOUR_MS as i64);
    assert_eq!(boots, 5, "{}", world.transcript);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// What a product said is not made longer by it either.
#[test]
fn a_deferral_written_with_a_clock_years_ahead_is_over_by_the_right_one() {
    let mut world = deferred(0);
    let until_ms = |world: &World| world.agent.journal().attempt.clone()?.deferral?.until_ms;
    let wall_ms = world.wall_ms.unwrap() - 20 * 365 * 86_400_000;
    world.wall_ms = Some(wall_ms);
    reset(&mut world, ResetCause::PowerOn);
    assert_eq!(until_ms(&world), Some(wall_ms + 2 * HOUR_MS as i64));
    world.wall_ms = Some(wall_ms + HOUR_MS as i64);
    reset(&mut world, ResetCause::PowerOn);
    assert_eq!(until_ms(&world), Some(wall_ms + 2 * HOUR_MS as i64), "it is not begun anew");
}

fn is_reaching(phase: AgentPhase) -> bool {
    matches!(phase, AgentPhase::Reaching { .. })
}

/// Runs to the read before arming, and leaves it unanswered.
fn asked_before_arming() -> World {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Verifying);
    world.service.reads_lost = 1;
    world.run_until(is_reaching);
    settle(&mut world);
    assert!(is_reaching(world.agent.phase()), "{}", world.transcript);
    world
}

/// It would look for the service in vain, go back, and be blamed for that.
#[test]
fn nothing_is_armed_while_the_service_is_silent() {
    let mut world = asked_before_arming();
    let boots = world.boots;
    world.pass();
    assert!(is_retry(world.agent.phase()), "{}", world.transcript);
    assert_eq!(world.boots, boots);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn nothing_is_armed_while_the_service_has_trouble() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Verifying);
    world.service.reads_refused = 1;
    settle(&mut world);
    assert!(is_retry(world.agent.phase()), "{}", world.transcript);
    assert_eq!(world.boots, 0);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn nothing_is_armed_behind_a_link_that_went_down_meanwhile() {
    let mut world = asked_before_arming();
    world.disconnect();
    settle(&mut world);
    assert!(is_retry(world.agent.phase()), "{}", world.transcript);
    assert!(world.transcript.contains("link_down_at_install"), "{}", world.transcript);
}

/// Its answer names what is wished for by now.
#[test]
fn what_the_last_read_takes_back_is_not_armed() {
    let mut world = asked_before_arming();
    world.service.desired.clear();
    let payload = br#"{"state":{},"version":900}"#.to_vec();
    world.queue.push_back(Event::Message(ShadowTopic::Accepted(ShadowVerb::Get), payload));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.4 (confirmed), last u-1 cancelled cancelled");
    assert_eq!(world.boots, 0);
}

/// A service that says it has trouble was reached.
#[test]
fn trouble_of_the_service_is_no_fault_of_new_firmware() {
    for (code, is_reached) in [(500, true), (503, true), (429, true), (403, false)] {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        (world.service.reads_refused, world.service.refusal) = (1, Some(code));
        world.run_until(|phase| matches!(phase, AgentPhase::SelfTest { .. }));
        let is_testing = matches!(world.agent.phase(), AgentPhase::SelfTest { .. });
        assert_eq!(is_testing, is_reached, "{code}: {}", world.transcript);
    }
}

/// It may come from whoever else reads this shadow.
#[test]
fn a_refusal_without_a_token_says_nothing_of_the_last_read() {
    let mut world = asked_before_arming();
    let payload = br#"{"code":500,"message":"trouble"}"#.to_vec();
    world.queue.push_back(Event::Message(ShadowTopic::Rejected(ShadowVerb::Get), payload));
    settle(&mut world);
    assert!(is_reaching(world.agent.phase()), "{}", world.transcript);
}

/// The read takes a while, and nothing is armed yet.
#[test]
fn a_product_that_changes_its_mind_before_arming_is_asked_again() {
    let mut world = World::asking(&[Decision::Now, Decision::Now]);
    world.wish("1.0.5", "u-1");
    world.run_until(is_reaching);
    assert!(is_reaching(world.agent.phase()), "{}", world.transcript);
    let later = Decision::Later { wait_ms: 2 * HOUR_MS, hold: Hold::NotNow };
    world.decisions.push_back(later);
    world.queue.push_front(Event::Input(Input::DecisionChanged));
    settle(&mut world);
    assert!(is_deferred(world.agent.phase()), "{}", world.transcript);
    assert_eq!(world.boots, 1);
}
