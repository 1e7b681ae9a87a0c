//! How long the agent waits between tries, and how many it makes.

use alloc::vec::Vec;

use otaru_wire::{Outcome, Reason, ShadowTopic};
use serde_json::json;

use super::flash::{image, target, version};
use super::world::{Event, World, config, faults};
use crate::{AgentPhase, Effect, Fault, Input, Moment, Target};

/// The same, and no more, as budget.rs says a reason is worth.
#[test]
fn an_update_that_comes_at_the_last_try_is_installed() {
    for (reason, tries) in [(Reason::ReleaseNotFound, 3), (Reason::DigestMismatch, 2)] {
        let mut world = World::connected();
        world.faults = faults(&alloc::vec![reason; tries]);
        world.wish("1.0.5", "u-1");
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    }
}

#[test]
fn the_longest_wait_doubles_from_the_first() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    for doubled in [1, 2, 4] {
        world.run_until(|phase| phase == AgentPhase::Preflight);
        world.queue.clear();
        let now = Moment { uptime_ms: world.uptime_ms, random: u64::MAX, ..Moment::default() };
        let failed = Input::ManifestChecked(Err(Fault::from(Reason::ServerError)));
        world.agent.step(now, failed, &mut |_| {});
        let AgentPhase::AwaitRetry { until_ms, .. } = world.agent.phase() else { panic!("waits") };
        assert_eq!(until_ms - world.uptime_ms, config().retry_base_ms * doubled);
        world.uptime_ms = until_ms;
        world.queue.push_back(Event::Input(Input::TimePassed));
    }
}

/// A host that hangs, and an answer that trickles for ever.
#[test]
fn a_try_that_gets_no_further_for_an_hour_is_given_up() {
    let begun: [fn(AgentPhase) -> bool; 2] = [
        |phase| phase == AgentPhase::Preflight,
        |phase| matches!(phase, AgentPhase::Downloading { .. }),
    ];
    for begun in begun {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(begun);
        world.queue.clear();
        let mut at = world.uptime_ms;
        let mut take = |at, input| {
            let mut stopped = false;
            let now = Moment { uptime_ms: at, ..Moment::default() };
            let mut see = |effect: Effect<'_>| stopped |= matches!(effect, Effect::StopTransfer);
            world.agent.step(now, input, &mut see);
            (world.agent.phase(), stopped)
        };
        let before = take(at, Input::TimePassed).0;
        if let AgentPhase::Downloading { total, .. } = before {
            for done in 1..5 {
                at += 3_000_000;
                let (phase, stopped) = take(at, Input::BytesRead { done });
                assert!(phase == AgentPhase::Downloading { done, total } && !stopped, "{phase:?}");
            }
            take(at + 1_000_000, Input::BytesRead { done: 3 });
            at += 2_000_000;
            take(at, Input::BytesRead { done: 4 });
        }
        let (phase, stopped) = take(at + 3_599_999, Input::TimePassed);
        assert!(begun(phase) && !stopped, "{phase:?}");
        let (phase, stopped) = take(at + 3_600_000, Input::TimePassed);
        let AgentPhase::AwaitRetry { reason, .. } = phase else { panic!("{phase:?}") };
        assert!(stopped && reason == Reason::DownloadStalled, "{reason:?}");
    }
}

#[test]
fn a_transfer_wakes_the_agent_when_it_would_be_given_up() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    let wake_at = world.agent.wake_at_ms().expect("a transfer is waited for");
    assert!(wake_at <= world.uptime_ms + world.config().stall_limit_ms);
    world.queue.clear();
    while matches!(world.agent.phase(), AgentPhase::Downloading { .. }) {
        assert!(world.pass(), "it waits for ever: {}", world.transcript);
        world.run_until(|_| false);
    }
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// The broker that comes back says nothing about a release that is not there, nor of a server that
/// said when it wants to be asked again.
#[test]
fn a_new_session_hurries_a_try_only_if_the_link_had_failed() {
    for (reason, expected) in [
        (Reason::ReleaseNotFound, false),
        (Reason::ServerError, false),
        (Reason::LinkDownWhileDownloading, true),
        (Reason::DownloadStalled, true),
    ] {
        let mut world = World::connected();
        world.faults = faults(&[reason]);
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. }));
        let before = world.agent.phase();
        world.disconnect();
        world.connect();
        world.run_until(|_| false);
        assert_eq!(world.agent.phase() != before, expected, "{reason:?}");
    }
}

/// Whatever else wakes it: offline the try waits, and is not counted.
#[test]
fn a_try_that_is_due_waits_for_the_link() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::ServerError]);
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. }));
    world.disconnect();
    world.run_until(|_| false);
    world.uptime_ms += 86_400_000;
    world.queue.push_back(Event::Input(Input::TimePassed));
    world.run_until(|_| false);
    assert!(matches!(world.agent.phase(), AgentPhase::AwaitRetry { .. }), "{}", world.transcript);
}

/// What was sent into a link that had gone is sent again with the next, without a wait.
#[test]
fn a_report_lost_with_its_session_is_sent_in_the_next() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Confirming);
    world.link = false;
    world.run_until(|_| false);
    world.disconnect();
    world.connect();
    world.run_until(|_| false);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// The same version of another image is another wish: what was fetched is not installed as that.
#[test]
fn a_wish_for_another_image_of_the_same_version_ends_the_update_under_way() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    let sha256 = image(&version("1.0.5-again"));
    world.desire(json!({"update": {"id": "u-2", "sha256": sha256, "attempt": 1}}));
    world.queue.rotate_right(3);
    world.run_until(|phase| !matches!(phase, AgentPhase::Downloading { .. }));
    let last = world.agent.journal().last.clone().expect("an end");
    assert_eq!((last.outcome, last.sha256), (Outcome::Cancelled, Some(image(&version("1.0.5")))));
}

/// As with a shadow service that is not ours: nothing else tells one wish from the next.
#[test]
fn a_wish_without_an_id_that_was_taken_back_may_be_made_again() {
    let mut world = World::connected();
    let wish = |version: &str| json!({"config": {"firmware_version": version}});
    world.desire(wish("1.0.5"));
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    world.desire(wish("1.0.4"));
    news_first(&mut world);
    world.run_until(|phase| !matches!(phase, AgentPhase::Downloading { .. }));
    let last = world.agent.journal().last.clone().expect("an end");
    assert_eq!(last.outcome, Outcome::Cancelled);
    world.desire(wish("1.0.5"));
    world.run();
    assert_eq!(world.agent.running().label.as_deref(), Some("1.0.5"), "{}", world.transcript);
}

/// A delta says so by leaving out a version that is not the one that is reported.
#[test]
fn a_wish_that_a_delta_leaves_out_was_taken_back() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    world.desire(json!({"config": {"firmware_version": null, "volume": 3}, "update": null}));
    world.queue.retain(|event| !matches!(event, Event::Message(ShadowTopic::Documents, _)));
    news_first(&mut world);
    world.run_until(|phase| !matches!(phase, AgentPhase::Downloading { .. }));
    let last = world.agent.journal().last.as_ref().expect("an end");
    assert_eq!(last.outcome, Outcome::Cancelled);
}

/// The server then wishes for the version that runs, and names no update.
#[test]
fn an_update_to_the_name_of_what_runs_can_be_taken_back() {
    let mut world = World::connected();
    let sha256 = image(&version("1.0.4-of-the-server"));
    let update = json!({"id": "u-1", "sha256": sha256, "attempt": 1});
    world.desire(json!({"config": {"firmware_version": "1.0.4"}, "update": update}));
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.desire(json!({"update": null}));
    news_first(&mut world);
    world.run_until(|phase| phase != AgentPhase::Preflight);
    let last = world.agent.journal().last.as_ref().expect("an end");
    assert_eq!(last.outcome, Outcome::Cancelled);
}

/// Lets messages of the shadow come before what the host answers.
fn news_first(world: &mut World) {
    let (messages, answers): (Vec<Event>, Vec<Event>) =
        world.queue.drain(..).partition(|event| matches!(event, Event::Message(..)));
    world.queue.extend(messages.into_iter().chain(answers));
}

/// A build flashed by cable has the name of the release that is wished for.
#[test]
fn another_setting_does_not_take_back_a_wish_for_the_version_that_is_reported() {
    let mut world = World::connected();
    let sha256 = image(&version("1.0.4-of-the-server"));
    let update = json!({"id": "u-1", "sha256": sha256, "attempt": 1});
    world.desire(json!({"config": {"firmware_version": "1.0.4"}, "update": update}));
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.desire(json!({"config": {"volume": 3}}));
    world.queue.retain(|event| !matches!(event, Event::Message(ShadowTopic::Documents, _)));
    news_first(&mut world);
    world.run_until(|phase| phase != AgentPhase::Preflight);
    let last = world.agent.journal().last.as_ref();
    assert!(last.is_none_or(|last| last.outcome == Outcome::Confirmed), "{}", world.transcript);
}

#[test]
fn a_device_is_online_from_the_first_read_on() {
    let mut world = World::new();
    assert!(!world.agent.is_online());
    world.connect();
    world.run();
    assert!(world.agent.is_online());
    world.disconnect();
    world.run();
    assert!(!world.agent.is_online());
}

#[test]
fn another_name_for_what_runs_is_taken_without_a_download() {
    let running = image(&version("1.0.4"));
    let mut world = World::connected();
    let update = json!({"id": "u-1", "sha256": running, "attempt": 1});
    world.desire(json!({"config": {"firmware_version": "1.0.5"}, "update": update}));
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.queue.clear();
    let found = Target { sha256: running, ..target(&version("1.0.5")) };
    world.queue.push_back(Event::Input(Input::ManifestChecked(Ok(found))));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    assert_eq!(world.boots, 0, "{}", world.transcript);
}

/// The shadow changed meanwhile: it is read at once, and the report follows from that.
#[test]
fn a_report_of_an_older_version_leads_to_a_read() {
    for (code, reads) in [(409, 1), (500, 0)] {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| phase == AgentPhase::Confirming);
        world.run_until(|phase| phase == AgentPhase::Idle);
        world.run_until(|_| false);
        let before = world.service.reads;
        world.service.refused_with = [code].into();
        world.desire(json!({"config": {"volume": 3}}));
        world.run_until(|_| false);
        assert_eq!(world.service.reads - before, reads, "{code}");
    }
}

/// One that came while the end was not told yet.
#[test]
fn a_wish_that_waited_for_a_report_is_followed_when_that_is_given_up() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::ManifestUntrusted]);
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.service.refused_with = alloc::vec![400; 2].into();
    world.wish("1.0.6", "u-2");
    world.run_until(|phase| phase == AgentPhase::Idle);
    world.run_until(|phase| phase == AgentPhase::Preflight);
    assert_eq!(world.agent.phase(), AgentPhase::Preflight, "{}", world.transcript);
}

/// They are no part of how the update ended, which is told.
#[test]
fn settings_that_are_refused_do_not_keep_the_next_wish_waiting() {
    let mut world = World::connected();
    world.service.refused_with = [500].into();
    world.desire(json!({"config": {"volume": 3}}));
    world.run_until(|_| false);
    world.faults = faults(&[Reason::ManifestUntrusted]);
    world.wish("1.0.5", "u-1");
    while world.service.reported["firmware"].get("last").is_none() {
        world.pass();
    }
    world.service.refused_with = alloc::vec![400; 50].into();
    world.run_until(|_| false);
    world.wish("1.0.6", "u-2");
    world.run_until(|phase| phase == AgentPhase::Preflight);
    assert_eq!(world.agent.phase(), AgentPhase::Preflight, "{}", world.transcript);
}

/// How an update ended is told before the next begins, unless that will never be heard.
#[test]
fn a_report_that_is_always_refused_does_not_keep_the_next_wish_waiting() {
    for (code, expected) in [(400, true), (429, false), (500, false)] {
        let mut world = World::connected();
        world.faults = faults(&[Reason::ManifestUntrusted]);
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| phase == AgentPhase::Preflight);
        world.service.refused_with = alloc::vec![code; 2].into();
        world.run_until(|_| false);
        assert_eq!(world.agent.phase(), AgentPhase::Idle);
        world.wish("1.0.6", "u-2");
        world.run_until(|phase| phase == AgentPhase::Preflight);
        assert_eq!(world.agent.phase() == AgentPhase::Preflight, expected, "{code}");
    }
}

/// Cancelled is what a wish is that was taken back. A host that says so of a request has failed
/// like any other, and the wish that still stands does not begin it again.
#[test]
fn a_request_that_a_host_calls_cancelled_ends_the_update_once() {
    for reached in [AgentPhase::Preflight, AgentPhase::Downloading { done: 0, total: 1000 }] {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| phase == reached);
        world.queue.retain(|event| matches!(event, Event::Message(..)));
        let fault = Fault::from(Reason::Cancelled);
        world.queue.push_back(Event::Input(match reached {
            AgentPhase::Preflight => Input::ManifestChecked(Err(fault)),
            _ => Input::DownloadEnded(Err(fault)),
        }));
        world.run();
        let last = "runs 1.0.4 (confirmed), last u-1 failed cancelled";
        assert_eq!(world.last_reported(), last, "{}", world.transcript);
        assert_eq!(world.transcript.matches("begins").count(), 1, "{}", world.transcript);
    }
}

/// The wish that still stands does not begin again what would end otherwise the second time.
#[test]
fn a_self_test_that_calls_itself_cancelled_stays_rolled_back() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::SelfTest { .. }));
    world.queue.retain(|event| matches!(event, Event::Message(..)));
    let failed = Input::SelfTestEnded(Err(Reason::Cancelled));
    world.queue.push_back(Event::Input(failed));
    world.run();
    for _ in 0..2 {
        let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back cancelled";
        assert_eq!(world.last_reported(), last, "{}", world.transcript);
        world.disconnect();
        world.connect();
        world.run();
    }
}
