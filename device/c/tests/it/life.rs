//! Updates through every callback: trust, links that break, settings, decisions, offers.

use otaru_c::api;
use otaru_wire::{Digest, Reason};
use serde_json::json;

use crate::server::NOW_S;
use crate::world::World;

fn has_ended(world: &World) -> bool {
    !world.outcome().is_empty()
}

#[test]
fn order_and_timestamp_are_asked_for_and_believed() {
    let mut world = World::new();
    world.live(has_ended);
    assert_eq!(world.outcome(), "confirmed", "{:#?}", world.notes);
    assert!(world.other_slot() == world.server.image());
    assert_eq!(world.reported["firmware"]["trust"], json!({"root": 1, "timestamp": NOW_S}));
    let orders = world.noted("get /firmware/clock/1.0.5.order?nonce=");
    assert!(!orders.is_empty() && orders.iter().all(|order| order.len() == 32 + 2), "{orders:?}");
}

/// A server's older answer, to another nonce, must not start anything.
#[test]
fn order_of_another_moment_is_refused_before_flash_is_touched() {
    let mut world = World::new();
    world.server.old_nonce = Some([7; 16]);
    world.live(has_ended);
    assert_eq!(world.outcome(), "failed");
    let reason = u64::from(Reason::OrderForeign.number());
    assert_eq!(world.reported["firmware"]["last"]["reason"], reason, "{:#?}", world.notes);
    assert!(world.other_slot().iter().all(|&byte| byte == 0xFF), "something was written");
}

#[test]
fn stale_timestamp_is_reported_and_blocks_nothing() {
    let mut world = World::new();
    world.server.signed_at = NOW_S - 30 * 86_400;
    world.live(has_ended);
    assert_eq!(world.outcome(), "confirmed", "{:#?}", world.notes);
    let reason = u64::from(Reason::TimestampStale.number());
    assert_eq!(world.reported["firmware"]["trust"]["reason"], reason);
}

#[test]
fn download_goes_on_behind_the_last_whole_chunk() {
    let mut world = World::new();
    world.breaks_after = Some(100_000);
    world.live(has_ended);
    assert_eq!(world.outcome(), "confirmed", "{:#?}", world.notes);
    assert_eq!(world.noted("get /firmware/clock/1.0.5.bin"), ["0", "65536"]);
    assert!(world.other_slot() == world.server.image());
}

/// As `errno` and lwIP have them. Some are numbers of reasons that end an update for good.
#[test]
fn numbers_of_a_network_library_are_a_dead_link() {
    for number in [-2, -3, -11, -12, -15, -32] {
        let mut world = World::new();
        (world.breaks_after, world.breaks_with) = (Some(100_000), number);
        world.live(has_ended);
        assert_eq!(world.outcome(), "confirmed", "{number}: {:#?}", world.notes);
        assert_eq!(world.noted("get /firmware/clock/1.0.5.bin"), ["0", "65536"], "{number}");
    }
}

#[test]
fn a_manifest_that_ends_too_soon_is_asked_for_again() {
    let mut world = World::new();
    world.cuts_manifest = true;
    world.live(has_ended);
    assert_eq!(world.outcome(), "confirmed", "{:#?}", world.notes);
    assert_eq!(world.noted("get /firmware/clock/1.0.5.manifest").len(), 2);
}

/// Never silent for as long as a link may be, and of no use.
#[test]
fn a_body_that_trickles_is_given_up() {
    let mut world = World::new();
    world.trickles = Some((25_000, 1));
    world.live(|world| world.noted("get /firmware/clock/1.0.5.bin").len() > 1);
    let stalled = format!("{} ", Reason::DownloadStalled.number());
    let lines = world.noted("log");
    assert!(lines.iter().any(|line| line.starts_with(&stalled)), "{lines:#?}");
}

/// Nothing else is done while a document comes.
#[test]
fn a_document_that_takes_too_long_is_given_up() {
    let mut world = World::new();
    world.server.manifest = Some(vec![0; 40_000]);
    world.trickles = Some((1_900, 512));
    world.live(|world| world.noted("get /firmware/clock/1.0.5.manifest").len() > 1);
    let down = format!("{} ", Reason::LinkDownAtInstall.number());
    let lines = world.noted("log");
    assert!(lines.iter().any(|line| line.starts_with(&down)), "{lines:#?}");
}

#[test]
fn setting_is_applied_by_name_and_reported() {
    let mut world = World::new();
    world.desired = json!({"config": {"phrase_type": "formal", "night": {"from": 22}}});
    world.live(|world| world.reported["config"]["night"].is_object());
    let mut settings = world.noted("setting");
    settings.sort_unstable();
    assert_eq!(settings, ["night {\"from\":22}", "phrase_type \"formal\""]);
    assert_eq!(world.reported["config"]["phrase_type"], "formal");
}

#[test]
fn refused_setting_is_not_reported() {
    let mut world = World::new();
    world.takes_settings = false;
    world.desired["config"]["phrase_type"] = "formal".into();
    world.live(has_ended);
    assert!(!world.noted("setting").is_empty());
    assert!(world.reported["config"].get("phrase_type").is_none());
}

#[test]
fn product_is_asked_before_download_and_restart_and_may_wait() {
    let mut world = World::new();
    let hour_ms = 3_600_000;
    world.decisions.push_back((api::DECISION_LATER_BATTERY, hour_ms));
    world.live(has_ended);
    assert_eq!(world.outcome(), "confirmed", "{:#?}", world.notes);
    assert_eq!(world.noted("asked"), ["1 1.0.5 150000", "1 1.0.5 150000", "2 1.0.5 150000"]);
}

/// The download is not put off: what is whole waits in its slot.
#[test]
fn restart_waits_for_its_part_of_the_day() {
    let mut world = World::new();
    let minute_of_day = (NOW_S / 60 % 1440) as u16;
    // In two hours, by a clock that is an hour ahead.
    let opens = (minute_of_day + 180) % 1440;
    world.restart_window = (opens, (opens + 60) % 1440, 60);
    world.live(|world| world.asked_at_ms.len() == 2);
    let [download, restart] = world.asked_at_ms[..] else { unreachable!("two questions") };
    let hours_ms = 2 * 3_600_000;
    assert!(download < 60_000, "{download}");
    assert!((hours_ms - 60_000..hours_ms + 60_000).contains(&restart), "{restart}");
}

#[test]
fn window_of_no_day_is_refused() {
    for (window, expected) in [
        ((1439, 0, 840), api::IDLE),
        ((0, 1439, -720), api::IDLE),
        ((1440, 0, 0), api::INVALID),
        ((0, 1440, 0), api::INVALID),
        ((0, 0, 841), api::INVALID),
        ((0, 0, -721), api::INVALID),
    ] {
        let mut world = World::new();
        world.restart_window = window;
        assert_eq!(world.answer_to_config(), expected, "{window:?}");
    }
}

#[test]
fn product_may_refuse() {
    let mut world = World::new();
    world.decisions.extend([(api::DECISION_NOW, 0), (api::DECISION_REFUSE, 0)]);
    world.live(has_ended);
    assert_eq!(world.outcome(), "cancelled", "{:#?}", world.notes);
    assert!(world.noted("restart").is_empty());
}

/// Both are said before the next poll: the answer is to a question that is taken back.
#[test]
fn answer_to_a_question_taken_back_does_not_count_for_the_next() {
    let mut world = World::new();
    let (now, refuse) = ((api::DECISION_NOW, 0), (api::DECISION_REFUSE, 0));
    world.decisions.extend([now, now, refuse]);
    world.changes_mind_at = Some(2);
    world.live(has_ended);
    assert_eq!(world.outcome(), "cancelled", "{:#?}", world.notes);
    assert!(world.noted("restart").is_empty());
}

#[test]
fn offer_is_shown_and_decided_at_the_device() {
    let mut world = World::new();
    let offer = json!({"version": "1.0.5", "sha256": Digest::of(world.server.image()), "size": 9});
    world.desired = json!({"update_offer": offer});
    world.decides_offer = Some(api::OFFER_TONIGHT);
    world.live(|world| world.reported["update_offer"]["decision"].is_string());
    assert_eq!(world.noted("offer"), ["Some(\"1.0.5\") 9"]);
    assert_eq!(world.reported["update_offer"]["decision"], "tonight");
    assert_eq!(world.reported["firmware"]["shows_offers"], true);
}

#[test]
fn calls_from_within_a_callback_are_refused() {
    let mut world = World::new();
    world.live(has_ended);
    assert!(!world.answers_within.is_empty());
    assert!(world.answers_within.iter().all(|&answer| answer == api::BUSY));
}
