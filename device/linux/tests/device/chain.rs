use otaru_broker::DisconnectReason;
use otaru_release::{Behaviour, RootDocument, SecretKey};
use otaru_shadow::Rules;
use otaru_wire::payload::FirmwareState;
use otaru_wire::{Phase, Reason};
use serde_json::json;

use crate::rig::{IMAGE_BYTES, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_becomes_running_firmware() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    assert_eq!(rig.online(&mut device).await.version, "1.0.4");
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");

    let firmware = rig.firmware(&device).unwrap();
    assert_eq!((firmware.state, firmware.slot.as_str()), (FirmwareState::Confirmed, "ota_1"));
    let shadow = rig.shadow(&device).unwrap();
    assert_eq!(shadow.reported()["config"]["firmware_version"], "1.0.5");
    assert!(!shadow.has_delta(&Rules::default()), "found {:?}", shadow.delta(&Rules::default()));

    let progress = rig.progress(&device);
    let mut phases: Vec<Phase> = progress.iter().map(|progress| progress.phase).collect();
    phases.dedup();
    let expected = [
        Phase::Notified,
        Phase::Downloading,
        Phase::Verifying,
        Phase::Restarting,
        Phase::Testing,
        Phase::Confirmed,
    ];
    assert_eq!(phases, expected);
    assert!(progress.is_sorted_by_key(|progress| progress.done));
    assert_eq!(progress.last().unwrap().done, IMAGE_BYTES as u64);
    let ends = rig.service.heard.lock().unwrap().ends.clone();
    assert_eq!(ends, [DisconnectReason::ClientInitiatedDisconnect], "the restart said goodbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_made_while_away_is_read_at_power_on() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    rig.wish(&device, "1.0.5", "u-1").await;
    device.start();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_update_after_another_uses_both_slots() {
    let rig = Rig::start().await;
    rig.publish("1.0.6", 6, Behaviour::Pass);
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    rig.wish(&device, "1.0.6", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "confirmed, runs 1.0.6");
    assert_eq!(rig.firmware(&device).unwrap().slot, "ota_0");
    // An older release needs a manifest of its own that says so.
    rig.wish(&device, "1.0.5", "u-3").await;
    assert_eq!(rig.end_of(&mut device, "u-3").await, "failed sequence_older, runs 1.0.6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_a_rotated_key_is_installed() {
    let rig = Rig::start().await;
    let new_key = SecretKey::from_seed(&[3; 32]);
    let second = RootDocument {
        number: 2,
        ..RootDocument::first(rig.root_key.public_key(), new_key.public_key())
    };
    rig.serve("root/2", second.sign(&rig.root_key));
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "failed manifest_untrusted, runs 1.0.4");
    let image = rig.web.files.lock().unwrap().images["1.0.5"].clone();
    let manifest = rig.manifest("1.0.5", 5, &image);
    rig.serve("1.0.5.manifest", manifest.sign(&new_key));
    rig.wish(&device, "1.0.5", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "confirmed, runs 1.0.5");
}

/// The second root is signed by a key that it no longer names; the device keeps it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stays_revoked_after_a_restart() {
    let rig = Rig::start().await;
    let (new_root, new_key) = (SecretKey::from_seed(&[3; 32]), SecretKey::from_seed(&[4; 32]));
    let first = RootDocument::first(new_root.public_key(), new_key.public_key());
    let second = RootDocument { number: 2, ..first };
    rig.serve("root/2", second.sign(&rig.root_key));
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "failed manifest_untrusted, runs 1.0.4");
    device.cut_power().await;
    // Whoever has the old release key, and the server, hides what revokes it.
    rig.web.files.lock().unwrap().documents.remove("root/2");
    device.start();
    rig.wish(&device, "1.0.5", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "failed manifest_untrusted, runs 1.0.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_falls_back_is_not_followed() {
    let rig = Rig::start().await;
    let stranger = SecretKey::from_seed(&[9; 32]);
    let usurper = RootDocument {
        number: 2,
        ..RootDocument::first(stranger.public_key(), stranger.public_key())
    };
    rig.serve("root/2", usurper.sign(&stranger));
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "failed root_foreign, runs 1.0.4");
}

/// Together they are longer than a record: one of them waits, and the device lives on.
#[tokio::test(flavor = "multi_thread")]
async fn settings_too_long_to_keep_never_end_the_device() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    let long = "x".repeat(2100);
    let desired = json!({"config": {"poem": long, "song": long}});
    rig.service.desire(&device.thing, desired).await;
    device.start();
    rig.reported(&mut device, "poem", &json!(long)).await;
    rig.logged(&mut device, Reason::SettingRefused).await;
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_download_is_reported_and_leaves_no_trace() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.link_kbps = Some(400);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.bytes_done(&mut device, 1).await;
    let stay = json!({"config": {"firmware_version": "1.0.4"}, "update": null});
    rig.service.desire(&device.thing, stay).await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "cancelled cancelled, runs 1.0.4");
}
