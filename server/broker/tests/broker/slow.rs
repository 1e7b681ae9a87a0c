//! Receivers that take their messages slowly, or not at all: nothing is lost without their
//! knowing of it.

use std::collections::BTreeSet;
use std::time::Duration;

use otaru_broker::{DisconnectReason, Request};

use crate::client::{Client, Options};
use crate::room::{Room, shadow, until};
use crate::service::{Told, delta_payload};

const THING: &str = "clock-01";

/// More than wait for one device, sent and unsent.
const TOO_MANY: usize = 10_000 + 128 + 1;

/// Requests of one client that may be unanswered.
const REQUESTS_MAX: usize = 400;

async fn publish_numbers(room: &Room, topic: &str, count: usize) {
    for number in 0..count {
        room.publish(topic, number.to_string()).await;
    }
}

/// A stored session that has the topic, and nobody there.
async fn absent_device(room: &mut Room, topic: &str) -> otaru_authority::IssuedDevice {
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(topic, 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    certificate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_that_acknowledges_nothing_is_disconnected_and_its_session_ends() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let (accepted, delta) = (shadow(THING, "update/accepted"), shadow(THING, "update/delta"));
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&accepted, 1).await;
    device.acknowledges = false;

    publish_numbers(&room, &accepted, TOO_MANY + 100).await;

    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::Throttled);
    let got: Vec<String> = device.closed().await.iter().map(|message| message.text()).collect();
    let expected: Vec<String> = (0..128).map(|number| number.to_string()).collect();
    assert_eq!(got, expected, "what came is a beginning without gaps");
    let counts = room.broker.counts();
    assert!(counts.dropped_queue_full >= 1 && counts.fell_behind == 1, "{counts:?}");

    // What it has to know it is told: there is no session, and this is the delta.
    room.service.open(&delta, 5);
    let mut device = room.lasting_device(&certificate, THING).await;
    assert!(!device.session_present);
    device.subscribe(&delta, 1).await;
    assert_eq!(device.next().await.payload, delta_payload(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_whose_queue_runs_over_while_it_is_away_finds_no_session() {
    let mut room = Room::new().await;
    let accepted = shadow(THING, "update/accepted");
    let certificate = absent_device(&mut room, &accepted).await;
    publish_numbers(&room, &accepted, 10_001).await;
    until("its session ends", async || !room.broker.has_subscriber(&accepted).await).await;
    assert_eq!(room.broker.counts().fell_behind, 1);
    assert!(!room.lasting_device(&certificate, THING).await.session_present);
}

/// Room for three large messages.
async fn room_of_few_bytes() -> Room {
    Room::with(|mqtts| mqtts.limits.waiting_bytes = 300_000).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_wait_for_a_device_that_is_away_have_an_end() {
    let mut room = room_of_few_bytes().await;
    let accepted = shadow(THING, "update/accepted");
    let certificate = absent_device(&mut room, &accepted).await;
    let large = vec![b'x'; 90_000];
    for _ in 0..3 {
        room.publish(&accepted, &large).await;
    }

    // What waits comes whole, and is forgotten when it is acknowledged.
    let mut device = room.lasting_device(&certificate, THING).await;
    assert!(device.session_present);
    for _ in 0..3 {
        assert_eq!(device.next().await.payload.len(), large.len());
    }
    device.ping().await.unwrap();
    device.disconnect().await;
    room.heard.disconnected().await;
    for _ in 0..3 {
        room.publish(&accepted, &large).await;
    }
    assert_eq!(room.broker.counts().fell_behind, 0);

    room.publish(&accepted, &large).await;
    until("its session ends", async || !room.broker.has_subscriber(&accepted).await).await;
    let counts = room.broker.counts();
    assert_eq!((counts.fell_behind, counts.dropped_queue_full), (1, 1));
    assert!(!room.lasting_device(&certificate, THING).await.session_present);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_a_device_does_not_acknowledge_have_an_end() {
    let mut room = room_of_few_bytes().await;
    let accepted = shadow(THING, "update/accepted");
    let mut device = room.device(THING).await;
    device.subscribe(&accepted, 1).await;
    device.acknowledges = false;
    let mut other = room.backend("watcher").await;
    other.subscribe(&accepted, 1).await;
    other.acknowledges = false;
    for _ in 0..4 {
        room.publish(&accepted, vec![b'x'; 90_000]).await;
    }
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::Throttled);
    assert!(device.closed().await.len() <= 3);
    for _ in 0..4 {
        other.next().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queue_of_a_device_that_is_away_comes_whole_and_in_order() {
    let mut room = Room::new().await;
    let accepted = shadow(THING, "update/accepted");
    let certificate = absent_device(&mut room, &accepted).await;
    publish_numbers(&room, &accepted, 10_000).await;

    let mut device = room.lasting_device(&certificate, THING).await;

    assert!(device.session_present);
    for number in 0..10_000 {
        assert_eq!(device.next().await.text(), number.to_string());
    }
    assert_eq!(room.broker.counts().fell_behind, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backend_that_reads_late_gets_everything() {
    let room = Room::new().await;
    let all = shadow("+", "update/accepted");
    let mut late = room.backend("late").await;
    late.subscribe(&all, 1).await;
    publish_numbers(&room, &shadow(THING, "update/accepted"), 20_000).await;
    for number in 0..20_000 {
        assert_eq!(late.next().await.text(), number.to_string());
    }
    assert_eq!(room.broker.counts().dropped_queue_full, 0);
}

/// The message that is on its way when the connection breaks is in neither queue of rmqtt's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_cut_off_while_it_is_sent_comes_again() {
    /// As many as may be unacknowledged, or fewer; and more bytes than sockets hold.
    const MESSAGES: u64 = 120;
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let delta = shadow(THING, "update/delta");
    let mut device = room.lasting_device(&certificate, THING).await;
    device.subscribe(&delta, 1).await;
    room.heard.so_far();
    let padding = " ".repeat(100_000);
    for version in 1..=MESSAGES {
        room.publish(&delta, format!(r#"{{"version":{version}}}{padding}"#)).await;
    }
    // Until the broker stands still in the middle of a message, which the device does not read.
    let quiet = Duration::from_millis(300);
    let mut begun = 0;
    while let Ok(told) = tokio::time::timeout(quiet, room.heard.told()).await {
        begun += u64::from(matches!(told, Told::Delivered(..)));
    }
    assert!((1..MESSAGES).contains(&begun), "{begun} were begun");
    drop(device);
    room.heard.disconnected().await;

    let mut device = room.lasting_device(&certificate, THING).await;

    assert!(device.session_present);
    let mut missing: BTreeSet<u64> = (1..=MESSAGES).collect();
    while !missing.is_empty() {
        let text = device.next().await.text();
        let version = text.trim_end().trim_start_matches(r#"{"version":"#).trim_end_matches('}');
        missing.remove(&version.parse().unwrap());
    }
}

/// A connection whose next message waits until one of these is dropped: the service is slow.
async fn held_up(room: &mut Room, device: &mut Client) -> Vec<Request> {
    let update = shadow(THING, "update");
    for number in 0..=REQUESTS_MAX {
        device.send_publish(&update, number.to_string().as_bytes(), 1, false).await.unwrap();
    }
    let mut open = Vec::new();
    for _ in 0..REQUESTS_MAX {
        open.push(room.heard.request().await);
    }
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_that_is_held_up_ends_at_once_when_another_has_its_name() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut old = room.lasting_device(&certificate, THING).await;
    let open = held_up(&mut room, &mut old).await;

    let mut new = connect(&room, &certificate).await;

    old.closed().await;
    let (_, reason) = room.heard.disconnected().await;
    assert_eq!(reason, DisconnectReason::DuplicateClientId);
    assert!(new.session_present);
    drop(open);
    new.publish(&shadow(THING, "update"), "new").await.unwrap();
    assert_eq!(room.heard.request().await.payload, "new", "what waited was not acknowledged");
}

/// The broker does not wait for it for ever, and its name is free; it ends when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_that_is_held_up_ends_after_the_server_has_ended_it() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let service = room.service.clone();
    let held_up = service.is_slow.lock().await;
    let mut device = room.lasting_device(&certificate, THING).await;
    device.send_publish(&shadow(THING, "update"), b"{}", 1, false).await.unwrap();
    room.heard.request().await;

    room.broker.disconnect(THING).await;
    let new = room.lasting_device(&certificate, THING).await;
    assert!(!new.session_present);
    assert_eq!(room.broker.counts().connections, 2);
    drop(held_up);

    device.closed().await;
    let (_, reason) = room.heard.disconnected().await;
    assert_eq!(reason, DisconnectReason::ApiInitiatedDisconnect);
}

/// Until it is let in.
async fn connect(room: &Room, certificate: &otaru_authority::IssuedDevice) -> Client {
    loop {
        let options = Options::persistent(THING);
        if let Ok(client) = room.try_device(Some(certificate), options).await {
            return client;
        }
    }
}
