//! Sessions that outlive connections, and how they end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use otaru_broker::DisconnectReason;
use tokio::net::TcpStream;

use crate::client::{Client, Options};
use crate::room::{Room, shadow, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_in_order_for_a_device_that_is_away() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    assert!(!device.session_present);
    device.subscribe(&accepted, 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    for number in 0..300 {
        room.publish(&accepted, number.to_string()).await;
    }

    let mut device = room.lasting_device(&certificate, "clock-01").await;

    assert!(device.session_present);
    for number in 0..300 {
        assert_eq!(device.next().await.text(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacknowledged_message_comes_again_after_reconnect() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    device.subscribe(&accepted, 1).await;
    device.acknowledges = false;
    room.publish(&accepted, "once").await;
    assert!(!device.next().await.dup);
    drop(device);
    room.heard.disconnected().await;

    let mut device = room.lasting_device(&certificate, "clock-01").await;

    let again = device.next().await;
    assert_eq!((again.text().as_str(), again.dup), ("once", true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_session_leaves_nothing_behind() {
    let mut room = Room::new().await;
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = room.device("clock-01").await;
    device.subscribe(&accepted, 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    until("nobody subscribes", async || !room.broker.has_subscriber(&accepted).await).await;
    assert!(!room.lasting_device(&room.certificate("clock-01"), "clock-01").await.session_present);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnect_ends_the_connection_and_forgets_the_session() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    device.subscribe(&shadow("clock-01", "#"), 1).await;

    room.broker.disconnect("clock-01").await;

    device.closed().await;
    let (_, reason) = room.heard.disconnected().await;
    assert_eq!(reason, DisconnectReason::ApiInitiatedDisconnect);
    assert!(!room.lasting_device(&certificate, "clock-01").await.session_present);
    room.broker.disconnect("nobody").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnect_forgets_a_session_that_is_away() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    device.subscribe(&accepted, 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    room.publish(&accepted, "for the former owner").await;

    room.broker.disconnect("clock-01").await;

    assert!(!room.lasting_device(&certificate, "clock-01").await.session_present);
    assert_eq!(room.broker.counts().dropped_session_ended, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_survives_connections_that_break_at_once() {
    let room = Room::new().await;
    let accepted = shadow("clock-01", "update/accepted");
    let mut backend = room.try_backend(Options::persistent("backend")).await.unwrap();
    backend.subscribe(&accepted, 1).await;
    backend.disconnect().await;
    for round in 0..50_u32 {
        for _ in 0..3 {
            let socket = TcpStream::connect(room.plain()).await.unwrap();
            socket.set_zero_linger().unwrap();
            Client::knock(Box::new(socket), &Options::persistent("backend")).await;
        }
        until("the session works", async || resumes(&room, &accepted, round).await).await;
    }
}

/// Whether a connection hears of the topic without subscribing; one that broke
/// earlier may be noticed late and disturb it.
async fn resumes(room: &Room, topic: &str, round: u32) -> bool {
    let Ok(mut backend) = room.try_backend(Options::persistent("backend")).await else {
        return false;
    };
    assert!(backend.session_present);
    room.publish(topic, round.to_string()).await;
    loop {
        match backend.try_next().await {
            Ok(message) if message.text() == round.to_string() => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_every_connection_and_frees_the_ports() {
    let mut room = Room::new().await;
    let (mqtts, plain) = (room.mqtts(), room.plain());
    let device = room.device("clock-01").await;
    let backend = room.try_backend(Options::persistent("backend")).await.unwrap();

    room.broker.clone().shutdown().await;

    device.closed().await;
    backend.closed().await;
    for _ in 0..2 {
        let (_, reason) = room.heard.disconnected().await;
        assert_eq!(reason, DisconnectReason::ServerInitiatedDisconnect);
    }
    assert_eq!(room.broker.counts().connections, 0);
    for address in [mqtts, plain] {
        until("the port is free", async || std::net::TcpListener::bind(address).is_ok()).await;
    }
}

/// As a client does that believes its connection gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_that_is_taken_over_loses_nothing_of_what_is_sent_meanwhile() {
    let room = Arc::new(Room::new().await);
    let accepted = shadow("clock-01", "update/accepted");
    let mut taker = room.try_backend(Options::persistent("taker")).await.unwrap();
    taker.subscribe(&accepted, 1).await;
    let enough = Arc::new(AtomicBool::new(false));
    let publishing = tokio::spawn({
        let (room, enough, accepted) = (room.clone(), enough.clone(), accepted.clone());
        async move {
            let mut count = 0;
            while !enough.load(Relaxed) {
                room.publish(&accepted, count.to_string()).await;
                count += 1;
                // No faster than it is read, or the queue runs over.
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            count
        }
    });
    let mut heard = BTreeSet::new();
    for _ in 0..200 {
        for _ in 0..5 {
            heard.insert(taker.next().await.text());
        }
        let next = room.try_backend(Options::persistent("taker")).await.expect("let in");
        assert!(next.session_present);
        taker = next;
    }
    enough.store(true, Relaxed);
    let count = publishing.await.unwrap();
    room.publish(&accepted, "end").await;
    while !heard.contains("end") {
        heard.insert(taker.next().await.text());
    }
    let lost: Vec<u32> = (0..count).filter(|number| !heard.contains(&number.to_string())).collect();
    assert!(lost.is_empty(), "{} of {count}: {lost:?}", lost.len());
}
