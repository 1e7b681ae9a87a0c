use expect_test::expect;
use serde_json::json;

use super::world::{Behaviour, World};

#[test]
fn a_wish_ends_confirmed_and_reported() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run();
    expect![[r#"
        INFO update to 1.0.5 begins
        progress notified 0/0 #1
        report {"update":{"attempt":1,"id":"u-1","sha256":"9d713f12979d62879250bc0a2035e3ef57315ac4251e85019d21c75ed7269720"}}
        download
        progress downloading 0/1000 #1
        progress verifying 1000/1000 #1
        progress restarting 1000/1000 #1
        boot of slot 1 after Software
        INFO trial boot: looking for the broker
        progress testing 1000/1000 #1
        report {"firmware":{"sha256":"9d713f12979d62879250bc0a2035e3ef57315ac4251e85019d21c75ed7269720","slot":"ota_1","state":"trial","version":"1.0.5"}}
        progress confirmed 1000/1000 #1
        INFO update to 1.0.5: confirmed
        report {"config":{"firmware_version":"1.0.5"},"firmware":{"last":{"outcome":"confirmed","sha256":"9d713f12979d62879250bc0a2035e3ef57315ac4251e85019d21c75ed7269720","update":"u-1","version":"1.0.5"},"state":"confirmed"}}
    "#]].assert_eq(&world.transcript);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.5");
}

#[test]
fn a_wish_made_while_away_is_read_on_reconnect() {
    let mut world = World::new();
    world.wish("1.0.5", "u-1");
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn firmware_that_fails_its_self_test_goes_back_by_itself() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back self_test_failed";
    assert_eq!(world.last_reported(), last);
    assert_eq!(world.service.reported["config"]["firmware_version"], "1.0.4");
}

#[test]
fn firmware_that_crashes_is_gone_after_one_boot() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Crash;
    world.wish("1.0.5", "u-1");
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back firmware_crashed";
    assert_eq!(world.last_reported(), last);
}

#[test]
fn firmware_that_hangs_is_reset_and_gone() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Hang;
    world.wish("1.0.5", "u-1");
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back self_test_timed_out";
    assert_eq!(world.last_reported(), last);
}

#[test]
fn a_rolled_back_image_is_tried_again_only_under_a_new_id() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    let boots = world.boots;
    world.wish("1.0.4", "u-2");
    world.run();
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.boots, boots, "the image is on the bad list");
    let last = "runs 1.0.4 (confirmed), last u-1 failed image_on_bad_list";
    assert_eq!(world.last_reported(), last);

    world.behaviour = Behaviour::Pass;
    world.wish("1.0.5", "u-3");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-3 confirmed ");
}

/// A link that stalls right after a message still leaves the true number behind.
#[test]
fn bytes_that_came_too_soon_are_told_when_their_time_has_come() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, crate::AgentPhase::Downloading { .. }));
    world.queue.retain(|event| matches!(event, super::world::Event::Message(..)));
    for done in [100, 200, 300] {
        world.queue.push_back(super::world::Event::Input(crate::Input::BytesRead { done }));
    }
    world.transcript.clear();
    world.run_until(|_| false);
    assert!(world.pass());
    expect![[r#"
        progress downloading 300/1000 #1
    "#]]
    .assert_eq(&world.transcript);
}

#[test]
fn the_same_image_under_another_name_is_only_relabelled() {
    let mut world = World::connected();
    let running = world.agent.running().sha256;
    world.desire(json!({
        "config": {"firmware_version": "1.0.4"},
        "update": {"id": "u-1", "sha256": running, "attempt": 1},
    }));
    world.run();
    assert_eq!(world.boots, 0);
    expect![[r#"
        report {"update":{"attempt":1,"id":"u-1","sha256":"aea5adbef574785273c4f39c1b7687cf801993e0cb6bf6781a41689e4edbb20c"}}
    "#]].assert_eq(&world.transcript);
}

#[test]
fn a_cancelled_update_says_so_and_stays() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, crate::AgentPhase::Downloading { .. }));
    world.desire(json!({"config": {"firmware_version": "1.0.4"}, "update": null}));
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.4 (confirmed), last u-1 cancelled cancelled");
    assert_eq!(world.boots, 0);
    assert!(!world.service.reported.contains_key("update"), "the echo is removed");
}

#[test]
fn a_cancel_after_arming_is_too_late() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == crate::AgentPhase::Staged);
    world.desire(json!({"config": {"firmware_version": "1.0.4"}, "update": null}));
    world.run_until(|phase| phase == crate::AgentPhase::Confirming);
    assert_eq!(world.boots, 1);
}
