//! A thing touches only its own topics, and nobody speaks for the service.

use crate::client::{NotIn, Options};
use crate::room::{Room, shadow};

#[tokio::test]
async fn device_that_publishes_elsewhere_is_closed_and_nothing_is_executed() {
    let mut room = Room::new().await;
    for topic in [
        &shadow("clock-02", "update"),
        &shadow("clock-01", "Update"),
        &shadow("clock-01", "name/cfg"),
        "$aws/things/clock-01/jobs/get",
        "mia/things/clock-02/logs",
        "anything",
    ] {
        let mut device = room.device("clock-01").await;
        assert!(device.publish(topic, "{}").await.is_err(), "{topic}");
    }
    assert_eq!(room.broker.counts().refused_publishes, 6);

    let mut device = room.device("clock-01").await;
    device.publish(&shadow("clock-01", "update"), "own").await.unwrap();
    assert_eq!(room.heard.request().await.payload, "own");
}

#[tokio::test]
async fn answers_cannot_be_forged() {
    let room = Room::new().await;
    let mut watching = room.backend("watching").await;
    watching.subscribe("$aws/#", 1).await;
    for topic in [
        &shadow("clock-01", "update/accepted"),
        &shadow("clock-01", "update/delta"),
        &shadow("clock-01", "get/rejected"),
        "$aws/events/presence/disconnected/clock-01",
    ] {
        let mut device = room.device("clock-01").await;
        assert!(device.publish(topic, "forged").await.is_err(), "{topic} by a device");
        let mut backend = room.backend("backend").await;
        assert!(backend.publish(topic, "forged").await.is_err(), "{topic} by a backend");
    }

    room.publish(&shadow("clock-01", "update/accepted"), "true").await;
    loop {
        let message = watching.next().await;
        assert_ne!(message.text(), "forged", "{}", message.topic);
        if message.text() == "true" {
            break;
        }
    }
}

#[tokio::test]
async fn retained_messages_under_aws_are_refused() {
    let mut room = Room::new().await;
    let update = shadow("clock-01", "update");
    let mut device = room.device("clock-01").await;
    device.send_publish(&update, b"{}", 1, true).await.unwrap();
    device.closed().await;
    let mut backend = room.backend("backend").await;
    backend.send_publish(&update, b"{}", 0, true).await.unwrap();
    backend.closed().await;
    assert!(!room.heard.has_request());

    // What is not under $aws is taken, and not kept for late subscribers.
    let mut device = room.device("clock-01").await;
    device.send_publish("mia/things/clock-01/logs", b"{}", 0, true).await.unwrap();
    room.heard.request().await;
    let mut late = room.backend("late").await;
    late.subscribe("mia/things/clock-01/logs", 1).await;
    device.publish("mia/things/clock-01/logs", "live").await.unwrap();
    let message = late.next().await;
    assert_eq!((message.text().as_str(), message.retain), ("live", false));
}

#[tokio::test]
async fn device_subscribes_to_its_own_and_gets_one_for_two() {
    let room = Room::new().await;
    let mut device = room.device("clock-01").await;
    for (filter, code) in [
        (shadow("clock-01", "update/delta"), 1),
        (shadow("clock-01", "get/+"), 1),
        (shadow("clock-01", "#"), 1),
        (shadow("clock-01", "name/$cfg/update/delta"), 1),
        ("mia/things/clock-01/logs".to_owned(), 1),
        (shadow("clock-02", "update/delta"), 0x80),
        (shadow("+", "#"), 0x80),
        ("$aws/things/clock-01/#".to_owned(), 0x80),
        ("$aws/events/presence/#".to_owned(), 0x80),
        ("$share/g/$aws/things/clock-01/shadow/#".to_owned(), 0x80),
        ("#".to_owned(), 0x80),
    ] {
        assert_eq!(device.subscribe(&filter, 2).await, code, "{filter}");
    }
    assert_eq!(device.subscribe(&shadow("clock-01", "get/accepted"), 0).await, 0);
}

#[tokio::test]
async fn messages_under_aws_do_not_come_through_a_leading_wildcard() {
    let room = Room::new().await;
    let mut backend = room.backend("backend").await;
    for filter in ["#", "+/things/#"] {
        assert_eq!(backend.subscribe(filter, 1).await, 1, "{filter}");
    }
    room.publish(&shadow("clock-01", "update/accepted"), "hidden").await;
    room.publish("home/kitchen", "seen").await;
    assert_eq!(backend.next().await.topic, "home/kitchen");
}

#[tokio::test]
async fn will_outside_the_devices_topics_keeps_it_out() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    for topic in [&shadow("clock-02", "update"), &shadow("clock-01", "update/accepted"), "anything"]
    {
        let options = Options::clean("clock-01").with_will(topic, "{}");
        let refused = room.try_device(Some(&certificate), options).await;
        assert_eq!(refused.err(), Some(NotIn::Refused(5)), "{topic}");
    }
    let mut options = Options::clean("clock-01").with_will(&shadow("clock-01", "update"), "{}");
    options.will.as_mut().unwrap().retain = true;
    let refused = room.try_device(Some(&certificate), options).await;
    assert_eq!(refused.err(), Some(NotIn::Refused(5)), "retained");
}

#[tokio::test]
async fn will_to_a_request_topic_is_heard_and_not_executed() {
    let mut room = Room::new().await;
    let update = shadow("clock-01", "update");
    let mut watching = room.backend("watching").await;
    watching.subscribe(&update, 1).await;
    let certificate = room.certificate("clock-01");
    let options = Options::clean("clock-01").with_will(&update, "last words");
    let device = room.device_with(&certificate, options).await;

    drop(device);

    assert_eq!(watching.next().await.text(), "last words");
    watching.publish(&update, "request").await.unwrap();
    assert_eq!(room.heard.request().await.payload, "request");
}

#[tokio::test]
async fn backend_asks_for_any_thing() {
    let mut room = Room::new().await;
    let mut backend = room.backend("backend").await;
    for thing in ["clock-01", "clock-02"] {
        backend.publish(&shadow(thing, "update"), "{}").await.unwrap();
        let request = room.heard.request().await;
        assert_eq!(request.topic.thing().unwrap().as_str(), thing);
        assert_eq!(request.session.principal.thing(), None);
    }
}
