//! The limits in the words of MQTT 5, by rumqttc.

use otaru_broker::{DeviceLimits, DisconnectReason};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{DisconnectReasonCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::{ConnectReturnCode, ConnectionError, Event, Outgoing, PublishOptions, StateError};

use crate::mqtt5::{Device, device};
use crate::room::{Room, shadow, until};

const THING: &str = "clock-01";

impl Device {
    /// Why the broker says that it ends the connection.
    async fn told_why(&mut self) -> DisconnectReasonCode {
        let told = self.next(|packet| match packet {
            Packet::Disconnect(disconnect) => Some(disconnect.reason_code),
            _ => None,
        });
        match told.await {
            Ok(reason)
            | Err(ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code: reason,
                ..
            })) => reason,
            Err(error) => panic!("it is closed without a word: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_too_much_waits_for_its_acknowledgement() {
    let limits = DeviceLimits { requests_per_s: 3, ..DeviceLimits::NONE };
    let (room, hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    let mut device = device(&room, &certificate, THING);
    device.connack().await.unwrap();
    for number in 0..5 {
        let (topic, options) = (shadow(THING, "update"), PublishOptions::at_least_once());
        device.client.publish(topic, number.to_string(), options).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(device.puback().await, PubAckReason::Success);
    }
    tokio::select! {
        early = device.puback() => panic!("{early:?} before its time"),
        () = until("it waits", async || room.broker.counts().slowed == 1) => {}
    }
    hand.move_on(1_000);
    for _ in 3..5 {
        assert_eq!(device.puback().await, PubAckReason::Success);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_that_are_too_many_or_too_deep_are_told_apart() {
    let limits = DeviceLimits { subscriptions: 1, ..DeviceLimits::NONE };
    let (room, _hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    let mut device = device(&room, &certificate, THING);
    device.connack().await.unwrap();
    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
    assert_eq!(device.subscribe(&shadow(THING, "update/delta")).await, granted);
    let one_more = shadow(THING, "update/accepted");
    assert_eq!(device.subscribe(&one_more).await, SubscribeReasonCode::QuotaExceeded);
    let deep = shadow(THING, &"+/".repeat(40));
    assert_eq!(device.subscribe(&deep).await, SubscribeReasonCode::TopicFilterInvalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_stop_to_publish_elsewhere_hears_that_it_is_too_much() {
    let (mut room, _hand) =
        Room::limited(DeviceLimits { requests_per_s: 0, ..DeviceLimits::USUAL }).await;
    let certificate = room.certificate(THING);
    let mut device = device(&room, &certificate, THING);
    device.connack().await.unwrap();
    let foreign = shadow("clock-02", "update");
    for _ in 0..99 {
        device.client.publish(&foreign, "{}", PublishOptions::at_least_once()).await.unwrap();
        assert_eq!(device.puback().await, PubAckReason::NotAuthorized);
    }
    device.client.publish(&foreign, "{}", PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(device.told_why().await, DisconnectReasonCode::QuotaExceeded);
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ForbiddenAccess);
    assert_eq!(room.broker.counts().cut_off, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_too_often_hears_so() {
    let limits = DeviceLimits { connects_per_min: 1, ..DeviceLimits::NONE };
    let (room, _hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    device(&room, &certificate, THING).connack().await.unwrap();
    let refused = device(&room, &certificate, THING).connack().await;
    assert!(
        matches!(
            refused,
            Err(ConnectionError::ConnectionRefused(ConnectReturnCode::ConnectionRateExceeded))
        ),
        "{refused:?}"
    );
}

/// rmqtt closes before it says why; the DISCONNECT has to come all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_disconnected_hears_why() {
    let room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut first = device(&room, &certificate, THING);
    first.connack().await.unwrap();
    let mut second = device(&room, &certificate, THING);
    second.events.options.set_clean_start(true);
    let (told, connack) = tokio::join!(first.told_why(), second.connack());
    assert_eq!(told, DisconnectReasonCode::SessionTakenOver);
    connack.unwrap();
    room.broker.disconnect(THING).await;
    assert_eq!(second.told_why().await, DisconnectReasonCode::AdministrativeAction);
}

/// The service is slow, and its next message waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_held_up_hears_that_another_has_its_session() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut first = device(&room, &certificate, THING);
    first.connack().await.unwrap();
    let mut second = device(&room, &certificate, THING);
    second.events.options.set_clean_start(true);
    let (client, update) = (first.client.clone(), shadow(THING, "update"));
    let (told, _open) = tokio::join!(first.told_why(), async {
        let publish = || client.publish(update.clone(), "{}", PublishOptions::at_most_once());
        let mut open = Vec::new();
        for _ in 0..400 {
            publish().await.unwrap();
            open.push(room.heard.request().await);
        }
        publish().await.unwrap();
        second.connack().await.unwrap();
        open
    });
    assert_eq!(told, DisconnectReasonCode::SessionTakenOver);
}

/// What it left behind is closed half a second later, when another connection has the name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_and_is_back_at_once_left_by_itself() {
    let mut room = Room::new().await;
    let certificate = room.certificate(THING);
    let mut first = device(&room, &certificate, THING);
    first.connack().await.unwrap();
    first.client.disconnect().await.unwrap();
    let is_goodbye = |event| matches!(event, Ok(Event::Outgoing(Outgoing::Disconnect)));
    while !is_goodbye(first.events.poll().await) {}
    let mut second = device(&room, &certificate, THING);
    second.events.options.set_clean_start(true);
    let (closed, connack) = tokio::join!(first.next(|_| None::<()>), second.connack());
    assert!(closed.is_err());
    connack.unwrap();
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ClientInitiatedDisconnect);
}
