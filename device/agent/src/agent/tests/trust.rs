//! What the agent asks about root and timestamp, and what it says of the answer.

use otaru_wire::Reason;
use otaru_wire::payload::TrustReport;

use super::flash::{image, version};
use super::world::{Event, World};
use crate::{Input, ResetCause};

fn seen(world: &mut World, timestamp: i64, reason: Option<Reason>) {
    let report = TrustReport { root: 2, timestamp: Some(timestamp), reason };
    world.queue.push_back(Event::Input(Input::TrustChecked(report)));
    world.run();
}

fn reported(world: &World) -> Option<serde_json::Value> {
    world.service.reported.get("firmware")?.get("trust").cloned()
}

#[test]
fn trust_is_looked_at_once_in_an_interval_however_many_sessions_there_are() {
    let mut world = World::connected();
    assert_eq!(world.trust_checks, 1);
    for _ in 0..3 {
        world.disconnect();
        world.run();
        world.connect();
        world.run();
    }
    assert_eq!(world.trust_checks, 1);
    world.restart(ResetCause::PowerOn);
    world.connect();
    world.run();
    assert_eq!(world.trust_checks, 2);
}

#[test]
fn what_was_seen_is_reported_until_something_else_is_seen() {
    let mut world = World::connected();
    assert_eq!(reported(&world), None);
    seen(&mut world, 1_000, None);
    assert_eq!(reported(&world), Some(serde_json::json!({"root": 2, "timestamp": 1_000})));
    seen(&mut world, 1_000, Some(Reason::TimestampStale));
    let stale = serde_json::json!({"root": 2, "timestamp": 1_000, "reason": 61});
    assert_eq!(reported(&world), Some(stale.clone()));
    assert!(world.transcript.contains("timestamp_stale"), "{}", world.transcript);
    // A restart has seen nothing yet, and takes nothing back.
    world.restart(ResetCause::PowerOn);
    world.connect();
    world.run();
    assert_eq!(reported(&world), Some(stale));
    seen(&mut world, 2_000, None);
    assert_eq!(reported(&world), Some(serde_json::json!({"root": 2, "timestamp": 2_000})));
}

#[test]
fn a_stale_timestamp_stops_no_update() {
    let mut world = World::connected();
    seen(&mut world, 1_000, Some(Reason::TimestampStale));
    world.wish("1.0.5", "u1");
    world.run();
    let release = version("1.0.5");
    assert_eq!(world.agent.running().sha256, image(&release));
    assert_eq!(world.raised, [image(&release)]);
    assert_eq!(world.wanted.unwrap().update.unwrap().as_str(), "u1");
}

#[test]
fn an_update_that_fails_raises_nothing() {
    let mut world = World::connected();
    world.behaviour = super::world::Behaviour::Fail;
    world.wish("1.0.5", "u1");
    world.run();
    assert_eq!(world.raised, []);
}

/// Cut off between the bootloader's record and the journal's, with a journal that was damaged.
#[test]
fn what_runs_on_without_a_journal_raises_its_floor() {
    let mut world = World::connected();
    world.flash.journal = b"damaged".to_vec();
    world.restart(ResetCause::PowerOn);
    assert_eq!(world.raised, [world.agent.running().sha256]);
    world.restart(ResetCause::PowerOn);
    assert_eq!(world.raised.len(), 1, "a journal that is read says what was confirmed");
}
