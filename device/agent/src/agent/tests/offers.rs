//! An offer that a screen of the device shows, and what its owner decides there.

use alloc::format;
use alloc::string::String;

use expect_test::expect;
use otaru_wire::payload::OfferDecision;
use serde_json::{Value, json};

use super::flash::{image, version};
use super::world::{Event, World};
use crate::{Input, ResetCause};

fn offer(release: &str) -> Value {
    json!({"version": release, "sha256": image(&version(release)), "size": 1000})
}

fn decides(world: &mut World, release: &str, decision: OfferDecision) {
    let decided = Input::OfferDecided { version: version(release), decision };
    world.queue.push_back(Event::Input(decided));
    world.run();
}

#[test]
fn an_offer_is_shown_echoed_answered_and_gone() {
    let mut world = World::asking(&[]);
    assert_eq!(world.service.reported["firmware"]["shows_offers"], true);
    world.desire(json!({"update_offer": offer("1.0.5")}));
    world.run();
    assert_eq!(world.service.reported["update_offer"], offer("1.0.5"), "no delta stays open");
    decides(&mut world, "1.0.4", OfferDecision::Now);
    assert_eq!(world.service.reported["update_offer"], offer("1.0.5"), "it is not offered");
    decides(&mut world, "1.0.5", OfferDecision::Tonight);
    assert_eq!(world.service.reported["update_offer"]["decision"], "tonight");
    // Another release: what was said about the last one is not said about it.
    world.desire(json!({"update_offer": offer("1.0.6")}));
    world.run();
    assert_eq!(world.service.reported["update_offer"], offer("1.0.6"));
    world.desire(json!({"update_offer": null}));
    world.run();
    assert!(!world.service.reported.contains_key("update_offer"));
    decides(&mut world, "1.0.6", OfferDecision::Now);
    assert!(!world.service.reported.contains_key("update_offer"), "it comes too late");
    let shown = world.transcript.lines().filter(|line| line.starts_with("screen"));
    let shown: String = shown.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        screen shows 1.0.5
        screen shows 1.0.6
        screen shows nothing
    "#]]
    .assert_eq(&shown);
    assert_eq!(world.boots, 1, "nothing is installed that nobody wished for");
}

#[test]
fn a_decision_made_while_the_link_is_away_is_told_if_it_still_counts() {
    for still_offered in [true, false] {
        let mut world = World::asking(&[]);
        world.desire(json!({"update_offer": offer("1.0.5")}));
        world.run();
        world.disconnect();
        world.run();
        decides(&mut world, "1.0.5", OfferDecision::Now);
        if !still_offered {
            world.desire(json!({"update_offer": null}));
        }
        world.connect();
        world.run();
        let told = world.service.reported.get("update_offer").map(|told| &told["decision"]);
        assert_eq!(told, still_offered.then_some(&json!("now")));
    }
}

#[test]
fn an_offer_that_cannot_be_read_and_one_without_a_screen_are_nothing() {
    let mut world = World::asking(&[]);
    world.desire(json!({"update_offer": {"version": "../evil", "size": 1}}));
    world.run();
    assert!(!world.transcript.contains("screen"), "{}", world.transcript);

    let mut world = World::connected();
    world.desire(json!({"update_offer": offer("1.0.5")}));
    world.run();
    assert!(!world.transcript.contains("screen"), "{}", world.transcript);
    assert!(world.service.reported["firmware"].get("shows_offers").is_none());
    assert!(!world.service.reported.contains_key("update_offer"));
}

/// Whether a delta or a whole document says it. What can be read beside the offer says nothing there.
#[test]
fn an_offer_with_a_decision_that_is_not_known_is_nothing() {
    for (decision, is_shown) in [("whenever", false), ("later", true)] {
        for is_online in [true, false] {
            let mut world = World::asking(&[]);
            if !is_online {
                world.disconnect();
            }
            let mut offer = offer("1.0.5");
            offer["decision"] = json!(decision);
            world.desire(json!({"update_offer": offer}));
            if !is_online {
                world.connect();
            }
            world.run_until(|_| false);
            assert_eq!(world.transcript.contains("screen"), is_shown, "{}", world.transcript);
            assert_eq!(world.service.reported.contains_key("update_offer"), is_shown);
        }
    }
}

/// Not worth a flash write: after a restart it is shown anew, and undecided.
#[test]
fn an_offer_is_shown_again_after_a_restart() {
    let mut world = World::asking(&[]);
    world.desire(json!({"update_offer": offer("1.0.5")}));
    world.run();
    decides(&mut world, "1.0.5", OfferDecision::Later);
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.transcript.matches("screen shows 1.0.5").count(), 2);
    assert_eq!(world.service.reported["update_offer"], offer("1.0.5"));
}
