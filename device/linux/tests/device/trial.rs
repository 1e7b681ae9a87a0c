use std::time::Duration;

use otaru_release::Behaviour;
use otaru_slots::Slot;
use otaru_wire::payload::FirmwareState;

use crate::rig::{Device, Rig};

async fn update_to(behaviour: Behaviour) -> (Rig, Device, String) {
    let rig = Rig::start().await;
    rig.publish("1.0.6", 6, behaviour);
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.6", "u-1").await;
    let end = rig.end_of(&mut device, "u-1").await;
    (rig, device, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_fails_its_self_test_goes_back() {
    let (rig, device, end) = update_to(Behaviour::Fail).await;
    assert_eq!(end, "rolled_back self_test_failed, runs 1.0.4");
    let firmware = rig.firmware(&device).unwrap();
    assert_eq!((firmware.state, firmware.slot.as_str()), (FirmwareState::RolledBack, "ota_0"));
    let shadow = rig.shadow(&device).unwrap();
    assert_eq!(
        shadow.reported()["config"]["firmware_version"],
        "1.0.4",
        "never reported before it was confirmed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_crashes_is_left_by_the_bootloader() {
    let (_, _, end) = update_to(Behaviour::Crash).await;
    assert_eq!(end, "rolled_back firmware_crashed, runs 1.0.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_hangs_is_reset_by_the_watchdog() {
    let (_, _, end) = update_to(Behaviour::Hang).await;
    assert_eq!(end, "rolled_back self_test_timed_out, runs 1.0.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_image_is_tried_again_only_under_a_new_id() {
    let (rig, mut device, _) = update_to(Behaviour::Fail).await;
    let requests = rig.web.asked().len();
    rig.wish(&device, "1.0.6", "u-1").await;
    rig.wish(&device, "1.0.5", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "confirmed, runs 1.0.5");
    rig.wish(&device, "1.0.6", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "failed image_on_bad_list, runs 1.0.5");
    assert_eq!(rig.web.asked().len(), requests + 1);
    rig.wish(&device, "1.0.6", "u-3").await;
    assert_eq!(rig.end_of(&mut device, "u-3").await, "rolled_back self_test_failed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_firmware_that_never_reaches_the_broker_goes_back() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.broker_limit = Duration::from_millis(400);
    device.options.link_kbps = Some(2000);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.bytes_done(&mut device, 1).await;
    // Only what new firmware reads anew is broken.
    let authority = std::fs::read_to_string(device.file("ca.pem")).unwrap();
    std::fs::write(device.file("ca.pem"), "gone").unwrap();
    rig.boots(&mut device, Slot::Ota1).await;
    rig.boots(&mut device, Slot::Ota0).await;
    std::fs::write(device.file("ca.pem"), authority).unwrap();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "rolled_back broker_unreachable, runs 1.0.4");
}

/// Power goes away again and again, at moments that differ: the device always comes
/// back, and once power stays the good release is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn lost_power_costs_time_only() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.link_kbps = Some(20_000);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    // Moments that meet download, verification and arming, and the trial once at most.
    for n in 0..12u64 {
        tokio::time::sleep(Duration::from_millis(17 + 29 * (n % 5))).await;
        device.cut_power().await;
        let is_armed = device.active_slot() == Some(Slot::Ota1);
        device.start();
        if is_armed {
            break;
        }
    }
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn power_lost_in_every_trial_is_a_rollback() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.self_test = Duration::from_secs(30);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    for trial in 1..=3 {
        rig.trial(&mut device, trial).await;
        device.cut_power().await;
        device.start();
    }
    let end = rig.end_of(&mut device, "u-1").await;
    assert_eq!(end, "rolled_back power_lost_in_trial, runs 1.0.4");
}
