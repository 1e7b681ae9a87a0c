//! What a wait between two tries outlives, and which tries count.

use alloc::format;

use otaru_wire::{Outcome, Reason, ShadowTopic, ShadowVerb};
use serde_json::json;

use super::world::{Event, World, config, faults};
use crate::{AgentPhase, DailyWindow, Decision, Fault, Hold, Input, ResetCause};

fn waits(world: &World) -> bool {
    matches!(world.agent.phase(), AgentPhase::AwaitRetry { .. })
}

fn tries(world: &World) -> usize {
    world.transcript.matches("(try ").count()
}

/// Runs until the device is at rest without a step of time.
fn settle(world: &mut World) {
    world.run_until(|_| false);
}

#[test]
fn an_outage_takes_nothing_from_what_a_release_that_is_not_there_yet_has() {
    let mut world = World::connected();
    let mut reasons = alloc::vec![Reason::ServerError; 12];
    reasons.extend([Reason::ReleaseNotFound; 3]);
    reasons.extend([Reason::LowMemory; 5]);
    reasons.extend([Reason::LinkDownAtInstall; 8]);
    reasons.extend([Reason::DigestMismatch; 2]);
    world.faults = faults(&reasons);
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    for (reason, tries) in [(Reason::ReleaseNotFound, 4), (Reason::ServerError, 6 * 21)] {
        let mut world = World::connected();
        let others = [Reason::ImageCorrupt, Reason::OrderMissing, Reason::TlsUntrusted];
        let allowed = crate::retries_allowed(reason);
        let others = others.into_iter().filter(|other| crate::retries_allowed(*other) != allowed);
        world.faults = faults(&alloc::vec![reason; tries]);
        world.faults.extend(others.map(Fault::from));
        world.faults.rotate_right(2);
        world.wish("1.0.5", "u-1");
        world.run();
        let last = world.agent.journal().last.as_ref().expect("an end");
        assert_eq!(last.outcome, Outcome::Failed, "{reason:?} {tries} times");
    }
}

/// Each session makes a try that failed for want of the link again at once, which costs nothing;
/// one that comes and goes all the time does not keep it from waiting.
#[test]
fn a_link_that_comes_and_goes_neither_ends_an_update_nor_keeps_it_busy() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::LinkDownWhileDownloading; 100]);
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    for session in 1..60 {
        world.disconnect();
        world.connect();
        settle(&mut world);
        assert!(waits(&world), "{session}: {}", world.transcript);
    }
    assert_eq!(tries(&world), 21);
    let attempt = world.agent.journal().attempt.as_ref().expect("it is under way");
    assert_eq!(attempt.tries.number() & 0x1F, 1, "one that was not hurried");
    world.faults.clear();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// A day's rest, then tries as at first: a try more before it ends than there are faults.
#[test]
fn after_all_tries_of_an_outage_it_rests_for_a_day() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::ServerError; 22]);
    world.wish("1.0.5", "u-1");
    while tries(&world) < 21 {
        world.pass();
    }
    settle(&mut world);
    let AgentPhase::AwaitRetry { until_ms, reason } = world.agent.phase() else { panic!("waits") };
    assert_eq!((until_ms - world.uptime_ms, reason), (86_400_000, Reason::ServerError));
    world.restart(ResetCause::PowerOn);
    world.disconnect();
    world.connect();
    settle(&mut world);
    let AgentPhase::AwaitRetry { until_ms, .. } = world.agent.phase() else { panic!("waits") };
    assert!(until_ms - world.uptime_ms > 86_000_000, "{until_ms}");
    while tries(&world) < 22 {
        world.pass();
    }
    settle(&mut world);
    let AgentPhase::AwaitRetry { until_ms, .. } = world.agent.phase() else { panic!("waits") };
    assert!(until_ms - world.uptime_ms <= config().retry_base_ms, "{until_ms}");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// The link that comes back ends the rest of what failed for want of it.
#[test]
fn a_new_session_ends_the_rest_of_a_link_that_was_down() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::LinkDownAtInstall; 22]);
    world.wish("1.0.5", "u-1");
    while tries(&world) < 21 {
        world.pass();
    }
    settle(&mut world);
    for _ in 0..2 {
        assert!(waits(&world), "{}", world.transcript);
        world.disconnect();
        world.connect();
        settle(&mut world);
    }
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_wait_outlives_restarts_and_sessions() {
    let mut world = World::connected();
    let asked_ms = 3_600_000;
    let fault = Fault { reason: Reason::ServerError, retry_after_ms: Some(asked_ms) };
    world.faults = [fault].into();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    for _ in 0..10 {
        world.restart(ResetCause::PowerOn);
        settle(&mut world);
        assert!(waits(&world), "{}", world.transcript);
    }
    while waits(&world) {
        world.pass();
    }
    assert!(world.uptime_ms >= asked_ms, "after {} ms", world.uptime_ms);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// Time without power counts.
#[test]
fn a_wait_is_over_when_the_clock_says_so() {
    let fault = Fault { reason: Reason::ServerError, retry_after_ms: Some(config().retry_cap_ms) };
    let mut world = World::connected();
    world.faults = [fault].into();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    world.wall_ms = world.wall_ms.map(|wall_ms| wall_ms + 6 * 3_600_000);
    world.restart(ResetCause::PowerOn);
    settle(&mut world);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// What somebody said is not forgotten at every boot: asking again needs them.
#[test]
fn without_a_clock_a_product_is_not_asked_again_at_every_boot() {
    let wait_ms = 8 * 3_600_000;
    let mut world = World::asking(&[Decision::Later { wait_ms, hold: Hold::NotNow }]);
    world.wall_ms = None;
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    for _ in 0..5 {
        world.restart(ResetCause::PowerOn);
        settle(&mut world);
        let AgentPhase::Deferred { until_ms, .. } = world.agent.phase() else { panic!("waits") };
        assert_eq!(until_ms, wait_ms);
    }
}

/// It never sees the end of a wait of hours.
#[test]
fn without_a_clock_a_device_that_is_on_for_minutes_tries_again() {
    let fault = Fault { reason: Reason::ServerError, retry_after_ms: Some(config().retry_cap_ms) };
    let mut world = World::connected();
    world.wall_ms = None;
    world.faults = [fault].into();
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    let mut boots = 0;
    while waits(&world) {
        boots += 1;
        assert!(boots < 12, "{}", world.transcript);
        world.restart(ResetCause::PowerOn);
        settle(&mut world);
        let wakes_at = world.agent.wake_at_ms();
        if wakes_at.is_some_and(|at| at < 600_000) {
            world.pass();
            settle(&mut world);
        }
    }
    assert!(boots > 3, "{boots} boots are no wait");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// What it reads first is what was there before.
#[test]
fn bytes_that_were_there_at_a_boot_are_no_new_ones() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    for _ in 0..4 {
        while !matches!(world.agent.phase(), AgentPhase::Downloading { .. }) {
            world.pass();
        }
        world.queue.clear();
        let failed = Input::DownloadEnded(Err(Reason::ContentChanged.into()));
        world.queue.extend([Input::BytesRead { done: 300 }, failed].map(Event::Input));
        settle(&mut world);
        world.restart(ResetCause::PowerOn);
    }
    world.run();
    let expected = "runs 1.0.4 (confirmed), last u-1 failed content_changed";
    assert_eq!(world.last_reported(), expected, "{}", world.transcript);
}

/// Its end is written down before the product is asked, who may take its time.
#[test]
fn a_wait_that_is_over_does_not_begin_again() {
    let mut world = World::asking(&[]);
    world.faults = [Fault { reason: Reason::ServerError, retry_after_ms: Some(3_600_000) }].into();
    world.wish("1.0.5", "u-1");
    world.unanswered = 1;
    settle(&mut world);
    while !matches!(world.agent.phase(), AgentPhase::Asking { .. }) {
        world.pass();
    }
    world.restart(ResetCause::PowerOn);
    settle(&mut world);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// The download comes at once, and the slot is read again before it is started.
#[test]
fn new_firmware_is_started_within_its_window() {
    let window = DailyWindow { opens_minute: 120, closes_minute: 300, ahead_of_utc_minutes: 60 };
    for (wall_ms, waits_ms) in [
        // 11:40 of local time, and 02:40.
        (Some(1_795_430_400_000), 860 * 60_000),
        (Some(1_795_398_000_000), 0),
        (None, 0),
    ] {
        let mut world = World::new();
        (world.window, world.wall_ms) = (Some(window), wall_ms);
        world.restart(ResetCause::PowerOn);
        world.connect();
        world.wish("1.0.5", "u-1");
        let before_ms = world.uptime_ms;
        while world.boots < 2 {
            assert!(world.uptime_ms <= before_ms + waits_ms, "{}", world.transcript);
            let uptime_ms = world.uptime_ms;
            world.pass();
            assert!(world.boots < 2 || uptime_ms == before_ms + waits_ms, "{uptime_ms}");
        }
        let waits = world.transcript.contains("waiting 1000/1000 #1 until deferred_on_device");
        assert_eq!(waits, waits_ms > 0, "{}", world.transcript);
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    }
}

#[test]
fn who_asks_anew_is_not_kept_waiting() {
    let mut world = World::connected();
    let wait = Fault { reason: Reason::ServerError, retry_after_ms: Some(3_600_000) };
    world.faults = alloc::vec![wait; 30].into();
    world.wish("1.0.5", "u-1");
    for _ in 0..30 {
        settle(&mut world);
        assert!(waits(&world), "{}", world.transcript);
        world.wish("1.0.5", &format!("u-{}", 2 + tries(&world)));
    }
    settle(&mut world);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-32 confirmed ");
}

/// Wherever power goes behind that.
#[test]
fn a_wait_that_somebody_ended_does_not_begin_again() {
    for cut in 0..20 {
        let mut world = World::connected();
        let wait = Fault { reason: Reason::ServerError, retry_after_ms: Some(3_600_000) };
        world.faults = [wait].into();
        world.wish("1.0.5", "u-1");
        settle(&mut world);
        world.wish("1.0.5", "u-2");
        world.fuse = Some(cut);
        settle(&mut world);
        let last = "runs 1.0.5 (confirmed), last u-2 confirmed ";
        assert_eq!(world.last_reported(), last, "{cut}: {}", world.transcript);
    }
}

/// Firmware that crashes at something else may well finish its update between two crashes.
#[test]
fn firmware_that_crashes_at_every_download_gives_the_update_up() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    for crash in 0..21 {
        world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
        while waits(&world) {
            world.pass();
        }
        world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
        assert!(world.agent.journal().last.is_none(), "{crash}: {}", world.transcript);
        world.restart(ResetCause::Panic);
        settle_until_it_waits(&mut world);
        // While it waits nothing is downloaded: that is another fault.
        world.restart(ResetCause::Watchdog);
        settle_until_it_waits(&mut world);
    }
    world.run();
    let expected = "runs 1.0.4 (confirmed), last u-1 failed retries_exhausted";
    assert_eq!(world.last_reported(), expected, "{}", world.transcript);
}

/// The check of a manifest is a connection of its own, and the likeliest place for memory to run
/// out. The first of them follows another fault.
#[test]
fn firmware_that_crashes_at_every_check_gives_the_update_up() {
    for first in [Reason::ServerError, Reason::FirmwareCrashed] {
        let mut world = World::connected();
        world.faults = faults(&[first]);
        world.wish("1.0.5", "u-1");
        let mut crashes = 0;
        while world.agent.journal().last.is_none() {
            while !matches!(world.agent.phase(), AgentPhase::Preflight) {
                assert!(world.pass(), "{}", world.transcript);
                if world.agent.journal().last.is_some() {
                    break;
                }
            }
            crashes += 1;
            assert!(crashes < 30, "{}", world.transcript);
            world.restart(ResetCause::Panic);
        }
        world.run();
        let expected = "runs 1.0.4 (confirmed), last u-1 failed retries_exhausted";
        assert_eq!(world.last_reported(), expected, "{}", world.transcript);
    }
}

#[test]
fn a_crash_is_counted_apart_from_an_outage() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::ServerError; 20]);
    world.wish("1.0.5", "u-1");
    while tries(&world) < 20 {
        world.pass();
    }
    while !matches!(world.agent.phase(), AgentPhase::Downloading { .. }) {
        world.pass();
    }
    world.restart(ResetCause::Watchdog);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// Crashes at every download, each time with these bytes there, and these read.
fn crash_at(world: &mut World, reached: impl Iterator<Item = [u64; 2]>) {
    world.size_bytes = (100 << 16) + 100;
    world.wish("1.0.5", "u-1");
    for read in reached {
        while !matches!(world.agent.phase(), AgentPhase::Downloading { .. }) {
            if world.agent.journal().last.is_some() {
                return;
            }
            assert!(world.pass(), "{}", world.transcript);
        }
        world.queue.clear();
        world.queue.extend(read.map(|done| Event::Input(Input::BytesRead { done })));
        settle(world);
        world.restart(ResetCause::Watchdog);
    }
}

/// Those of an earlier boot, too.
#[test]
fn new_chunks_renew_the_tries_for_good() {
    let mut world = World::connected();
    crash_at(&mut world, (0..60).map(|chunk| [chunk << 16, (chunk + 1) << 16]));
    world.run();
    let last = "runs 1.0.5 (confirmed), last u-1 confirmed ";
    assert_eq!(world.last_reported(), last, "{}", world.transcript);
}

/// The last one is shorter than the others.
#[test]
fn the_last_chunk_renews_the_tries_too() {
    let mut world = World::connected();
    let (chunks, total) = (100 << 16, (100 << 16) + 100);
    let reached = core::iter::repeat_n([chunks, chunks + 50], 20);
    let all = core::iter::repeat_n([total, total], 15);
    crash_at(&mut world, reached.chain([[chunks, total]]).chain(all));
    world.run();
    let last = "runs 1.0.5 (confirmed), last u-1 confirmed ";
    assert_eq!(world.last_reported(), last, "{}", world.transcript);
}

/// They are gone with the boot.
#[test]
fn bytes_of_a_chunk_that_is_never_whole_renew_nothing() {
    let mut world = World::connected();
    crash_at(&mut world, core::iter::repeat_n([3 << 16, (3 << 16) + 4096], 60));
    world.run();
    let last = "runs 1.0.4 (confirmed), last u-1 failed retries_exhausted";
    assert_eq!(world.last_reported(), last, "{}", world.transcript);
}

/// While it waits, nothing is done for the update, whatever resets the device.
#[test]
fn resets_while_the_broker_is_away_are_no_crashes_of_the_update() {
    let mut world = World::connected();
    world.wall_ms = None;
    world.faults = faults(&[Reason::LinkDownAtInstall]);
    world.wish("1.0.5", "u-1");
    settle(&mut world);
    world.disconnect();
    for _ in 0..200 {
        world.restart(ResetCause::Watchdog);
        settle(&mut world);
    }
    assert!(!world.transcript.contains("firmware_crashed"), "{}", world.transcript);
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

fn settle_until_it_waits(world: &mut World) {
    world.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. } | AgentPhase::Idle));
}

#[test]
fn reads_without_an_answer_are_ever_longer_waits() {
    let mut world = World::new();
    world.service.reads_lost = 12;
    world.connect();
    world.run();
    let lines = world.transcript.matches("the shadow service does not answer").count();
    assert_eq!(lines, 1, "{}", world.transcript);
    assert!(world.uptime_ms > 30 * 60_000, "12 reads in {} ms", world.uptime_ms);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

/// It is another client's, or was asked for in a session before this one.
#[test]
fn a_refusal_of_another_read_is_not_heard() {
    let mut world = World::new();
    world.connect();
    let refusal = json!({"code": 429, "message": "too many", "clientToken": "other"});
    let topic = ShadowTopic::Rejected(ShadowVerb::Get);
    for place in 0..3 {
        let message = Event::Message(topic, format!("{refusal}").into_bytes());
        world.queue.insert(place.min(world.queue.len()), message);
        world.run_until(|_| false);
    }
    world.run();
    assert!(!world.transcript.contains("could not be read"), "{}", world.transcript);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}
