use alloc::format;

use expect_test::expect;
use otaru_wire::{Reason, ShadowTopic, ShadowVerb};
use serde_json::{Value, json};

use super::flash::version;
use super::world::{Behaviour, Event, World, faults};
use crate::{AgentPhase, Input, ResetCause};

fn deliver(world: &mut World, topic: ShadowTopic, message: Value) {
    world.queue.push_back(Event::Message(topic, format!("{message}").into_bytes()));
    world.run();
}

#[test]
fn an_older_delta_is_dropped() {
    let mut world = World::connected();
    let version = world.service.version;
    let stale = json!({"version": version - 1, "state": {"config": {"firmware_version": "0.9"}}});
    deliver(&mut world, ShadowTopic::Delta, stale);
    assert_eq!(world.agent.phase(), AgentPhase::Idle);
    assert_eq!(world.transcript, "");
}

#[test]
fn a_repeated_delta_begins_nothing_twice() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    let again = world.queue.clone();
    world.queue.extend(again);
    world.run();
    assert_eq!(world.boots, 1);
}

#[test]
fn settings_are_applied_reported_and_kept() {
    let mut world = World::connected();
    world.desire(json!({"config": {"phrase_type": "poetic", "display": {"dim": 3, "on": true}}}));
    world.run();
    world.desire(json!({"config": {"display": {"dim": 4}}}));
    world.run();
    let reported = &world.service.reported["config"];
    assert_eq!(reported["phrase_type"], "poetic");
    assert_eq!(reported["display"], json!({"dim": 4, "on": true}));
    world.transcript.clear();
    world.restart(ResetCause::PowerOn);
    world.run();
    expect![[r#"
        boot of slot 0 after PowerOn
        restored display = {"dim":4,"on":true}
        restored phrase_type = "poetic"
    "#]]
    .assert_eq(&world.transcript);
}

#[test]
fn a_refused_setting_is_tried_again_and_not_reported() {
    let mut world = World::connected();
    world.refused.push("phrase_type");
    world.desire(json!({"config": {"phrase_type": "rude", "volume": 3}}));
    for _ in 0..20 {
        if let Some(event) = world.queue.pop_front() {
            world.queue.push_front(event);
            world.run_until(|_| false);
        }
    }
    assert_eq!(world.service.reported["config"]["volume"], 3);
    assert_eq!(world.service.reported["config"].get("phrase_type"), None);
    world.refused.clear();
    world.run();
    assert_eq!(world.service.reported["config"]["phrase_type"], "rude");
}

/// One of them alone would fit its record; together they do not.
#[test]
fn settings_that_cannot_be_kept_are_refused_before_they_are_applied() {
    let mut world = World::connected();
    let long = "x".repeat(2500);
    world.desire(json!({"config": {"poem": long, "song": long, "volume": 3}}));
    world.run_until(|_| false);
    assert_eq!(world.service.reported["config"]["poem"].as_str(), Some(long.as_str()));
    assert_eq!(world.service.reported["config"].get("song"), None);
    assert_eq!(world.service.reported["config"]["volume"], 3);
    assert!(world.flash.settings.len() <= 4000, "found {} bytes", world.flash.settings.len());
    assert!(world.transcript.contains("setting song was not applied"), "{}", world.transcript);
    world.desire(json!({"config": {"poem": "short"}}));
    world.run();
    assert_eq!(world.service.reported["config"]["song"].as_str(), Some(long.as_str()));
}

#[test]
fn settings_the_shadow_has_no_room_for_keep_no_end_from_being_told() {
    let mut world = World::connected();
    world.service.reported_bytes_max = Some(1000);
    world.desire(json!({"config": {"poem": "x".repeat(900)}}));
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.5");
    assert_eq!(world.service.reported["config"].get("poem"), None);
    let refusals = world.transcript.matches("the report was refused: 413").count();
    assert!((1..=3).contains(&refusals), "once in a session, found {refusals}");
    world.desire(json!({"config": {"poem": "short"}}));
    world.run();
    assert_eq!(world.service.reported["config"]["poem"], "short");
}

#[test]
fn other_members_of_reported_config_are_left_alone() {
    let mut world = World::new();
    world.service.reported = json!({"config": {"placed_by_cable": 1}}).as_object().unwrap().clone();
    world.service.version = 7;
    world.connect();
    world.run();
    assert_eq!(world.service.reported["config"]["placed_by_cable"], 1);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

/// One after the other: what is there of somebody else is known one at a time.
#[test]
fn members_of_others_are_removed_from_the_objects_that_are_its_own() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run();
    let before = world.service.reported.clone();
    for odd in [
        json!({"firmware": {"odd": 1}}),
        json!({"firmware": {"id": {"deep": 1}, "root": [1]}}),
        json!({"firmware": {"last": {"trust": 1}}}),
        json!({"firmware": {"": 1, "last": {"": 1}}, "update": {"": {"deep": 1}}}),
        json!({"update": {"last": 1, "trust": 2}}),
    ] {
        for (topic, message) in world.service.change(json!({"reported": odd}), None) {
            deliver(&mut world, topic, message);
        }
        assert_eq!(world.service.reported, before, "{odd}: {}", world.transcript);
    }
    let theirs = json!({"config": {"odd": 1}, "weather": {"odd": 1}});
    for (topic, message) in world.service.change(json!({"reported": theirs}), None) {
        deliver(&mut world, topic, message);
    }
    assert_eq!(world.service.reported["config"]["odd"], 1);
    assert_eq!(world.service.reported["weather"]["odd"], 1);
}

/// It says nothing about the end before it either.
#[test]
fn an_end_whose_image_was_never_known_leaves_no_last_in_reported() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.service.reported["firmware"]["last"]["update"], "u-1");
    world.faults = faults(&[Reason::ReleaseNotFound; 4]);
    world.disconnect();
    world.desire(json!({"config": {"firmware_version": "1.0.6"}, "update": null}));
    world.connect();
    world.run();
    let last = world.agent.journal().last.as_ref().expect("an end");
    assert_eq!((&last.version, last.sha256), (&version("1.0.6"), None));
    assert_eq!(world.service.reported["firmware"].get("last"), None);
}

/// A delta does not say that a record was removed: it only lacks what was echoed.
#[test]
fn a_wish_without_a_record_takes_over_none_of_the_wish_before() {
    for documents in [true, false] {
        let mut world = World::connected();
        world.behaviour = Behaviour::Fail;
        world.wish("1.0.5", "u-1");
        world.run();
        assert_eq!(world.service.reported["update"]["id"], "u-1");
        world.behaviour = Behaviour::Pass;
        world.desire(json!({"config": {"firmware_version": "1.0.6"}, "update": null}));
        world.queue.retain(|event| {
            documents || !matches!(event, Event::Message(ShadowTopic::Documents, _))
        });
        world.run();
        assert_eq!(world.last_reported(), "runs 1.0.6 (confirmed), last none confirmed ");
        assert_eq!(world.transcript.matches("update to 1.0.6 begins").count(), 1);
        assert!(!world.service.reported.contains_key("update"));
    }
}

#[test]
fn settings_alone_are_no_reason_to_read_the_shadow() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    let reads = world.service.reads;
    world.desire(json!({"config": {"volume": 3}}));
    world.run();
    assert_eq!(world.service.reported["config"]["volume"], 3);
    assert_eq!(world.service.reads, reads);
}

/// What is said once more is what was said before: that is no report that was lost. Who goes on
/// changing it does not make the device talk without a pause.
#[test]
fn what_somebody_else_reports_of_a_setting_is_set_right_after_a_pause() {
    let mut world = World::connected();
    let truth = json!({"volume": 3, "display": {"dim": 3, "on": true}});
    world.desire(json!({"config": truth}));
    world.run();
    world.transcript.clear();
    let fights = [json!({"volume": 9}), json!({"volume": 9}), json!({"display": {"dim": 9}})];
    let before_ms = world.uptime_ms;
    for odd in fights.iter().cycle().take(9) {
        for (topic, message) in world.service.change(json!({"reported": {"config": odd}}), None) {
            deliver(&mut world, topic, message);
        }
        for (name, value) in truth.as_object().unwrap() {
            assert_eq!(world.service.reported["config"][name], *value, "{odd}");
        }
    }
    assert!(world.transcript.contains("INFO somebody else changed"), "{}", world.transcript);
    assert!(!world.transcript.contains("WARN"), "{}", world.transcript);
    assert!(world.uptime_ms > before_ms + 20_000, "in {} ms", world.uptime_ms - before_ms);
}

/// What a service has of an object is seen in what it answers to a read.
#[test]
fn an_accepted_report_that_the_service_does_not_keep_is_sent_again_after_pauses() {
    let mut world = World::connected();
    world.service.keeps_nothing = true;
    world.desire(json!({"config": {"display": {"dim": 3}}}));
    let before_ms = world.uptime_ms;
    for _ in 0..200 {
        world.pass();
    }
    let lost = world.transcript.matches("WARN an accepted report is not in the shadow").count();
    let reports = world.transcript.matches("report {").count();
    assert!(lost > 5 && reports == lost + 1, "{lost} of {reports}: {}", world.transcript);
    let passed_ms = world.uptime_ms - before_ms;
    assert!(passed_ms > lost as u64 * 5_000, "{lost} times in {passed_ms} ms");
    world.service.keeps_nothing = false;
    world.run();
    assert_eq!(world.service.reported["config"]["display"]["dim"], 3);
}

#[test]
fn a_deleted_shadow_is_filled_again() {
    let mut world = World::connected();
    world.service.reported.clear();
    world.service.version = 0;
    let topic = ShadowTopic::Accepted(ShadowVerb::Delete);
    deliver(&mut world, topic, json!({"version": 9}));
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

/// "There is no shadow" has no version to tell its age by.
#[test]
fn an_absence_of_before_a_wish_takes_nothing_back() {
    let mut world = World::connected();
    world.service.version = 0;
    let (topic, absence) = world.service.get(None);
    world.service.version = 2;
    world.wish("1.0.5", "u-1");
    world.queue.push_back(Event::Message(topic, format!("{absence}").into_bytes()));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn an_absence_that_answers_another_read_is_not_heard() {
    let mut world = World::connected();
    let absence = json!({"code": 404, "message": "No shadow exists", "clientToken": "other"});
    world.wish("1.0.5", "u-1");
    let topic = ShadowTopic::Rejected(ShadowVerb::Get);
    world.queue.push_back(Event::Message(topic, format!("{absence}").into_bytes()));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn an_unanswered_read_is_asked_again() {
    let mut world = World::new();
    world.connect();
    world.run_until(|_| false);
    world.disconnect();
    world.run_until(|_| false);
    world.queue.push_back(Event::Input(Input::LinkUp));
    world.run_until(|_| false);
    assert!(world.agent.wake_at_ms().is_some(), "the read has a limit");
    world.link = true;
    world.run();
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

#[test]
fn a_session_that_grants_no_subscriptions_is_ended() {
    let mut world = World::new();
    world.deaf_sessions = 2;
    world.connect();
    world.run();
    assert_eq!(world.transcript.matches("disconnect").count(), 2, "{}", world.transcript);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

#[test]
fn refused_reads_are_one_line_and_ever_longer_waits() {
    let mut world = World::new();
    world.service.reads_refused = 12;
    world.connect();
    world.run();
    let lines = world.transcript.matches("the shadow could not be read: 500").count();
    assert_eq!(lines, 1, "{}", world.transcript);
    assert!(world.uptime_ms > 30 * 60_000, "12 reads in {} ms", world.uptime_ms);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

/// Whoever is heard proves that the service works again.
#[test]
fn a_message_cuts_the_wait_for_the_next_read_short() {
    let mut world = World::new();
    world.service.reads_refused = 12;
    world.connect();
    while world.service.reads_refused > 0 {
        world.pass();
    }
    let waits_ms = |world: &World| world.agent.wake_at_ms().map(|at| at - world.uptime_ms);
    world.run_until(|_| false);
    assert!(waits_ms(&world) > Some(60_000), "{:?}", waits_ms(&world));
    world.wish("1.0.5", "u-1");
    world.run_until(|_| false);
    assert!(waits_ms(&world) <= Some(30_000), "{:?}", waits_ms(&world));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// The same of the report of an end, which holds up the next wish.
#[test]
fn a_message_cuts_the_wait_for_the_report_of_an_end_short() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.service.refused_with.extend([500; 40]);
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    while world.service.refused_with.len() > 4 {
        world.pass();
    }
    world.service.refused_with.clear();
    world.run_until(|_| false);
    world.wish("1.0.6", "u-2");
    let told_ms = world.uptime_ms;
    world.run_until(|_| false);
    let at_ms = world.agent.wake_at_ms().expect("the end is to be told");
    assert!(at_ms - told_ms <= 30_000, "{} ms", at_ms - told_ms);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.6 (confirmed), last u-2 confirmed ");
}

#[test]
fn text_that_is_no_version_and_bytes_that_are_no_json_change_nothing() {
    let mut world = World::connected();
    world.desire(json!({"config": {"firmware_version": "../../etc"}, "update": 7}));
    world.run();
    world.desire(json!({"config": {"firmware_version": 105}}));
    world.run();
    for bytes in [&b""[..], b"null", b"{", b"\xff\xfe", b"[]"] {
        world.queue.push_back(Event::Message(ShadowTopic::Delta, bytes.to_vec()));
        world.queue.push_back(Event::Message(ShadowTopic::Documents, bytes.to_vec()));
    }
    world.run();
    assert_eq!(world.agent.phase(), AgentPhase::Idle);
    assert_eq!(world.boots, 0);
}
