//! The open delta comes again to a device that may have missed it, and to it alone.

use crate::client::{Client, Options};
use crate::room::{Room, shadow, until};
use crate::service::{Told, delta_payload};

const THING: &str = "clock-01";

fn delta() -> String {
    shadow(THING, "update/delta")
}

/// The next message is a delta of this version.
async fn expect_delta(client: &mut Client, topic: &str, version: u64) {
    let message = client.next().await;
    assert_eq!((message.topic.as_str(), message.text().into()), (topic, delta_payload(version)));
    assert!(!message.retain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_delta_comes_on_subscribe() {
    for (filter, qos) in
        [(delta(), 1), (delta(), 0), (shadow(THING, "#"), 1), (shadow(THING, "update/+"), 1)]
    {
        let room = Room::new().await;
        room.service.open(&delta(), 5);
        let mut device = room.device(THING).await;
        assert_eq!(device.subscribe(&filter, qos).await, qos);
        let message = device.next().await;
        assert_eq!(message.topic, delta(), "{filter}");
        assert_eq!(message.qos, qos);
        assert_eq!(message.payload, delta_payload(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_for_filters_without_deltas() {
    let mut room = Room::new().await;
    room.service.open(&delta(), 5);
    let mut device = room.device(THING).await;
    for filter in ["update/accepted", "get/+", "delete/#", "name/cfg/get/accepted"] {
        device.subscribe(&shadow(THING, filter), 1).await;
    }
    device.subscribe("mia/things/clock-01/#", 1).await;
    device.ping().await.unwrap();
    let told = room.heard.so_far();
    assert!(!told.iter().any(|told| matches!(told, Told::AskedForDeltas)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_of_named_shadows_come_too() {
    let room = Room::new().await;
    let (plain, dollar) =
        (shadow(THING, "name/cfg/update/delta"), shadow(THING, "name/$cfg/update/delta"));
    room.service.open(&plain, 3);
    room.service.open(&dollar, 4);
    room.service.open(&shadow("clock-02", "update/delta"), 9);

    let mut device = room.device(THING).await;
    device.subscribe(&shadow(THING, "name/+/update/delta"), 1).await;

    expect_delta(&mut device, &plain, 3).await;
    expect_delta(&mut device, &dollar, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_comes_once_per_connection() {
    let mut room = Room::new().await;
    room.service.open(&delta(), 5);
    let mut device = room.device(THING).await;
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 5).await;

    device.subscribe(&delta(), 1).await;
    device.unsubscribe(&delta()).await;
    device.subscribe(&shadow(THING, "update/#"), 1).await;
    for _ in 0..3 {
        room.heard.asked_for_deltas().await;
    }
    room.service.open(&delta(), 6);
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 6).await;

    let mut device = room.device(THING).await;
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_delta_comes_on_resume_when_it_is_not_waiting() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&delta(), 1).await;
    room.publish(&delta(), delta_payload(5)).await;
    room.service.open(&delta(), 5);
    expect_delta(&mut device, &delta(), 5).await;
    device.disconnect().await;
    room.heard.disconnected().await;

    let mut device = room.lasting_device(&certificate, THING).await;

    assert!(device.session_present);
    expect_delta(&mut device, &delta(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delta_that_waits_is_not_sent_twice() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&shadow(THING, "#"), 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    room.heard.so_far();
    for version in [5, 6] {
        room.service.open(&delta(), version);
        room.publish(&delta(), delta_payload(version)).await;
    }

    let mut device = room.lasting_device(&certificate, THING).await;
    room.heard.asked_for_deltas().await;
    expect_delta(&mut device, &delta(), 5).await;
    expect_delta(&mut device, &delta(), 6).await;

    // Had the sixth come twice, it would be here before the seventh.
    room.service.open(&delta(), 7);
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_delta_comes_after_connections_that_broke_at_once() {
    let room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&delta(), 1).await;
    drop(device);
    for version in 1..30 {
        room.device_that_breaks(&certificate, &Options::persistent(THING)).await;
        room.service.open(&delta(), version);
        until("the delta comes", async || {
            let mut device = room.lasting_device(&certificate, THING).await;
            assert!(device.session_present);
            // The connection that broke may be noticed late, and end this one.
            while let Ok(message) = device.try_next().await {
                if message.payload == delta_payload(version) {
                    return true;
                }
            }
            false
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacknowledged_delta_comes_once_after_resume() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&delta(), 1).await;
    device.acknowledges = false;
    room.service.open(&delta(), 5);
    room.publish(&delta(), delta_payload(5)).await;
    expect_delta(&mut device, &delta(), 5).await;
    drop(device);
    room.heard.disconnected().await;
    room.heard.so_far();

    let mut device = room.lasting_device(&certificate, THING).await;
    room.heard.asked_for_deltas().await;
    let again = device.next().await;
    assert_eq!((again.dup, again.text().into()), (true, delta_payload(5)));

    room.service.open(&delta(), 6);
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delta_in_flight_is_not_repeated_on_subscribe() {
    let mut room = Room::new().await;
    let mut device = room.device(THING).await;
    device.subscribe(&delta(), 1).await;
    room.heard.asked_for_deltas().await;
    device.acknowledges = false;
    room.publish(&delta(), delta_payload(5)).await;
    room.service.open(&delta(), 5);
    expect_delta(&mut device, &delta(), 5).await;

    device.subscribe(&shadow(THING, "update/+"), 1).await;
    room.heard.asked_for_deltas().await;
    room.service.open(&delta(), 6);
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_get_no_repeats_and_do_not_see_those_of_devices() {
    let mut room = Room::new().await;
    room.service.open(&delta(), 5);
    let mut backend = room.backend("backend").await;
    backend.subscribe(&shadow("+", "update/delta"), 1).await;
    backend.subscribe(&delta(), 1).await;
    let mut device = room.device(THING).await;
    device.subscribe(&delta(), 1).await;
    expect_delta(&mut device, &delta(), 5).await;

    room.publish(&delta(), delta_payload(6)).await;

    assert_eq!(backend.next().await.payload, delta_payload(6));
    let told = room.heard.so_far();
    let asked = told.iter().filter(|told| matches!(told, Told::AskedForDeltas)).count();
    assert_eq!(asked, 1, "for the device alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reaches_the_things_own_session_is_told() {
    let mut room = Room::new().await;
    let got = shadow(THING, "get/accepted");
    let mut backend = room.backend("backend").await;
    backend.subscribe("$aws/things/#", 1).await;
    room.publish(&got, "to the backend only").await;
    backend.next().await;
    let mut device = room.device(THING).await;
    device.subscribe(&shadow(THING, "#"), 1).await;
    room.publish(&shadow(THING, "update/accepted"), "not told").await;
    room.publish(&delta(), delta_payload(5)).await;
    room.publish(&got, "document").await;

    assert_eq!(room.heard.delivered().await, (delta(), delta_payload(5).to_vec()));
    assert_eq!(room.heard.delivered().await, (got, b"document".to_vec()));
}
