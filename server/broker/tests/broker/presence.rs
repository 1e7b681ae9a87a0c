//! Who comes and goes, in events and told to the service.

use otaru_broker::DisconnectReason;
use otaru_wire::PresenceEvent;
use otaru_wire::payload::PresencePayload;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::client::{Client, Options};
use crate::room::{Room, shadow, until};

async fn watching(room: &Room) -> Client {
    let mut watching = room.backend("watching").await;
    watching.subscribe("$aws/events/presence/#", 1).await;
    watching
}

async fn event(watching: &mut Client) -> (String, PresencePayload) {
    let message = watching.next().await;
    (message.topic, PresencePayload::parse_payload(&message.payload).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_and_going_are_told_with_equal_numbers() {
    let mut room = Room::new().await;
    let mut watching = watching(&room).await;
    let watcher = room.heard.connected().await;
    let certificate = room.certificate("clock-01");
    let device = room.lasting_device(&certificate, "clock-01").await;

    let (topic, came) = event(&mut watching).await;
    assert_eq!(topic, "$aws/events/presence/connected/clock-01");
    assert_eq!(came.event_type, PresenceEvent::Connected);
    assert_eq!(came.client_id, "clock-01");
    assert_eq!(came.principal_identifier, certificate.serial);
    assert_eq!(came.ip_address.as_deref(), Some("127.0.0.1"));
    assert_eq!((came.client_initiated_disconnect, came.disconnect_reason), (None, None));
    let told = room.heard.connected().await;
    assert_eq!(told.session_id, came.session_identifier);
    assert_eq!(told.version_number, came.version_number);
    assert!(told.version_number > watcher.version_number);

    device.disconnect().await;

    let (topic, went) = event(&mut watching).await;
    assert_eq!(topic, "$aws/events/presence/disconnected/clock-01");
    assert_eq!(went.session_identifier, came.session_identifier);
    assert_eq!(went.version_number, came.version_number);
    assert!(went.timestamp >= came.timestamp && came.timestamp > 1_700_000_000_000);
    assert_eq!(went.client_initiated_disconnect, Some(true));
    assert_eq!(went.disconnect_reason, Some(DisconnectReason::ClientInitiatedDisconnect));
    let (session, reason) = room.heard.disconnected().await;
    assert_eq!((session, reason), (told, DisconnectReason::ClientInitiatedDisconnect));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_that_breaks_is_lost() {
    let mut room = Room::new().await;
    drop(room.device("clock-01").await);
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ConnectionLost);
    drop(room.backend("backend").await);
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ConnectionLost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_a_connection() {
    let mut room = Room::new().await;
    let options = Options { keep_alive_secs: 1, ..Options::clean("clock-01") };
    let device = room.device_with(&room.certificate("clock-01"), options).await;
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::MqttKeepAliveTimeout);
    device.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_publish_is_the_reason() {
    let mut room = Room::new().await;
    let mut device = room.device("clock-01").await;
    device.publish(&shadow("clock-02", "update"), "{}").await.unwrap_err();
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ForbiddenAccess);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packet_that_is_too_large_is_the_clients_error() {
    let mut room = Room::new().await;
    let mut device = room.device("clock-01").await;
    device.publish(&shadow("clock-01", "update"), vec![0; 200 * 1024]).await.unwrap_err();
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ClientError);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takeover_ends_the_old_connection_and_the_new_one_has_the_higher_number() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let old = room.lasting_device(&certificate, "clock-01").await;
    let first = room.heard.connected().await;
    let mut watching = watching(&room).await;
    room.heard.connected().await;

    let mut new = room.lasting_device(&certificate, "clock-01").await;

    old.closed().await;
    let mut connected = None;
    let mut disconnected = None;
    for _ in 0..2 {
        let (_, event) = event(&mut watching).await;
        match event.event_type {
            PresenceEvent::Connected => connected = Some(event),
            PresenceEvent::Disconnected => disconnected = Some(event),
            PresenceEvent::ConnectFailed => panic!("{event:?}"),
        }
    }
    let (connected, disconnected) = (connected.unwrap(), disconnected.unwrap());
    assert_eq!(disconnected.session_identifier, first.session_id);
    assert_eq!(disconnected.disconnect_reason, Some(DisconnectReason::DuplicateClientId));
    assert!(connected.version_number > disconnected.version_number);
    assert_eq!(room.broker.counts().connections, 2);

    // The new connection is alive, and has the subscriptions of the session.
    new.publish(&shadow("clock-01", "get"), "").await.unwrap();
    assert_eq!(room.heard.request().await.session.session_id, connected.session_identifier);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takeover_keeps_what_waits() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut old = room.lasting_device(&certificate, "clock-01").await;
    old.subscribe(&accepted, 1).await;
    old.acknowledges = false;
    for number in 0..200 {
        room.publish(&accepted, number.to_string()).await;
    }
    old.next().await;

    let mut new = room.lasting_device(&certificate, "clock-01").await;

    assert!(new.session_present);
    let mut seen: Vec<u32> = Vec::new();
    for _ in 0..200 {
        seen.push(new.next().await.text().parse().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_left_early_stays_online() {
    let mut room = Room::new().await;
    for number in 0..200 {
        let socket = TcpStream::connect(room.plain()).await.unwrap();
        // Closing resets the connection, so that even the CONNACK may fail.
        socket.set_zero_linger().unwrap();
        let client_id = format!("early-{}", number % 50);
        Client::knock(Box::new(socket), &Options::clean(&client_id)).await;
    }
    room.backend("last").await.disconnect().await;
    while room.heard.disconnected().await.0.client_id != "last" {}
    until("all are gone", async || room.broker.counts().connections == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_ids_that_fit_no_topic_have_no_events() {
    let mut room = Room::new().await;
    let mut watching = watching(&room).await;
    let odd = room.backend("a+b#c").await;
    odd.disconnect().await;
    while room.heard.disconnected().await.0.client_id != "a+b#c" {}
    let _device = room.device("clock-01").await;
    assert_eq!(event(&mut watching).await.1.client_id, "clock-01");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_is_not_let_in_is_told_of() {
    let room = Room::new().await;
    let mut watching = watching(&room).await;
    let certificate = room.certificate("clock-01");
    let refused = room.try_device(Some(&certificate), Options::clean("clock-02")).await;
    assert!(refused.is_err());

    let message = watching.next().await;
    assert_eq!(message.topic, "$aws/events/presence/connect_failed/clock-02");
    let event: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(event["eventType"], "connect_failed");
    assert_eq!(event["connectFailureReason"], "AUTHORIZATION_FAILED");
    assert_eq!(event["principalIdentifier"], certificate.serial);
    assert_eq!(event["ipAddress"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_granted_and_ended_are_told() {
    let room = Room::new().await;
    let mut watching = room.backend("watching").await;
    watching.subscribe("$aws/events/subscriptions/+/clock-01", 1).await;
    let mut device = room.device("clock-01").await;
    let (own, foreign) = (shadow("clock-01", "get/+"), shadow("clock-02", "get/+"));
    device.subscribe(&foreign, 1).await;
    let own = [own, shadow("clock-01", "update/delta"), shadow("clock-01", "name/cfg/#")];
    device.subscribe_all(&own).await;
    device.unsubscribe_all(&own).await;

    for kind in ["subscribed", "unsubscribed"] {
        let message = watching.next().await;
        assert_eq!(message.topic, format!("$aws/events/subscriptions/{kind}/clock-01"));
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(event["eventType"], kind);
        assert_eq!(event["topics"], json!(own));
    }
}
