//! A broker or server that goes and comes back. It takes its old port, which another test may
//! have been given meanwhile: the test runner tries these tests again, and no others.

use std::time::Duration;

use otaru_wire::{Phase, Reason};
use serde_json::json;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_down_at_install_is_waited_for() {
    let mut rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    rig.online(&mut device).await;
    let sha256 = rig.image_digest("1.0.5");
    let start_web = rig.stop_web().await;
    rig.wish_for(&device, "1.0.5", sha256, "u-1").await;
    rig.logged(&mut device, Reason::LinkDownAtInstall).await;
    start_web(&mut rig).await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_goes_down_at_the_report_is_named() {
    let mut rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.self_test = Duration::from_millis(300);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.phase(&mut device, Phase::Testing).await;
    // Whatever is reported from here on is heard by nobody until the link is back.
    rig.service.heard.lock().unwrap().silences = u32::MAX;
    rig.phase(&mut device, Phase::Confirmed).await;
    rig.restart_broker().await;
    rig.service.heard.lock().unwrap().silences = 0;
    rig.logged(&mut device, Reason::LinkDownAtReport).await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_lost_with_the_broker_is_sent_again() {
    let mut rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.self_test = Duration::from_millis(500);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.phase(&mut device, Phase::Testing).await;
    rig.restart_broker().await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_applied_reported_and_restored() {
    let mut rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    rig.online(&mut device).await;
    let desired = json!({"config": {"phrase_type": "poetic", "volume": 3}});
    rig.service.desire(&device.thing, desired).await;
    rig.reported(&mut device, "volume", &json!(3)).await;
    // A service that lost everything hears of them again after the next power-on.
    device.cut_power().await;
    rig.service.heard.lock().unwrap().shadows.clear();
    rig.restart_broker().await;
    device.start();
    rig.reported(&mut device, "phrase_type", &json!("poetic")).await;
    rig.reported(&mut device, "volume", &json!(3)).await;
}
