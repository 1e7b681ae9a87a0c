//! Requests: each is taken once, in order, and answered to all who may hear it.

use std::sync::atomic::Ordering::SeqCst;

use otaru_broker::DisconnectReason;

use crate::room::{Room, shadow, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_is_taken_and_still_routed_to_its_subscribers() {
    let mut room = Room::new().await;
    let update = shadow("clock-01", "update");
    let mut watching = room.backend("watching").await;
    watching.subscribe(&update, 1).await;
    let mut device = room.device("clock-01").await;

    device.publish(&update, "{\"state\":{}}").await.unwrap();

    let request = room.heard.request().await;
    assert_eq!(request.payload, "{\"state\":{}}");
    assert_eq!(request.session.client_id, "clock-01");
    assert_eq!(watching.next().await.text(), "{\"state\":{}}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_both_qualities_and_all_kinds_are_taken_in_order() {
    let mut room = Room::new().await;
    let mut device = room.device("clock-01").await;
    let topics = [
        shadow("clock-01", "get"),
        shadow("clock-01", "update"),
        shadow("clock-01", "delete"),
        shadow("clock-01", "name/cfg/get"),
        shadow("clock-01", "name/$cfg/update"),
        "mia/things/clock-01/logs".to_owned(),
        "mia/things/clock-01/update/progress".to_owned(),
    ];
    for topic in &topics {
        device.send_publish(topic, b"zero", 0, false).await.unwrap();
        device.send_publish(topic, b"one", 1, false).await.unwrap();
    }
    for topic in &topics {
        for payload in ["zero", "one"] {
            let request = room.heard.request().await;
            assert_eq!(request.topic.format(&Default::default()), *topic);
            assert_eq!(request.payload, payload);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_taken_is_not_acknowledged() {
    let mut room = Room::new().await;
    let logs = "mia/things/clock-01/logs";
    let mut device = room.device("clock-01").await;
    room.service.is_ill.store(true, SeqCst);
    assert!(device.publish(logs, "[]").await.is_err());
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ServerError);

    room.service.is_ill.store(false, SeqCst);
    let mut device = room.device("clock-01").await;
    device.publish(logs, "[]").await.unwrap();
    assert_eq!(room.heard.request().await.payload, "[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burst_of_2000_requests_is_taken_once_each_and_answered_once_each() {
    const REQUESTS: usize = 2000;
    let room = Room::new().await;
    let (update, accepted) = (shadow("clock-01", "update"), shadow("clock-01", "update/accepted"));
    let mut device = room.device("clock-01").await;
    device.subscribe(&accepted, 1).await;

    let broker = room.broker.clone();
    let mut heard = room.heard;
    let answering = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..REQUESTS {
            let request = heard.request().await;
            taken.push(String::from_utf8(request.payload.to_vec()).unwrap());
            let topic = "$aws/things/clock-01/shadow/update/accepted".to_owned();
            broker.publish(otaru_broker::Message { topic, payload: request.payload }).await;
        }
        taken
    });
    for number in 0..REQUESTS {
        device.send_publish(&update, number.to_string().as_bytes(), 1, false).await.unwrap();
    }
    let expected: Vec<String> = (0..REQUESTS).map(|number| number.to_string()).collect();
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        answers.push(device.next().await.text());
    }
    assert_eq!(answers, expected);
    assert_eq!(answering.await.unwrap(), expected);
    let counts = room.broker.counts();
    assert_eq!((counts.dropped_queue_full, counts.dropped_session_ended), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_waits_while_400_requests_are_unanswered() {
    let mut room = Room::new().await;
    let update = shadow("clock-01", "update");
    let mut device = room.device("clock-01").await;
    for number in 0..401_u32 {
        device.send_publish(&update, number.to_string().as_bytes(), 0, false).await.unwrap();
    }
    let mut open = Vec::new();
    for _ in 0..400 {
        open.push(room.heard.request().await);
    }
    // Another client goes on meanwhile, and what it gets done proves that the 401st waits.
    let mut other = room.device("clock-02").await;
    other.publish(&shadow("clock-02", "get"), "").await.unwrap();
    assert_eq!(room.heard.request().await.session.client_id, "clock-02");
    assert!(!room.heard.has_request());

    drop(open.pop());

    assert_eq!(room.heard.request().await.payload, "400");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payload_of_128_kib_is_taken_and_a_larger_packet_closes() {
    let mut room = Room::new().await;
    let mut device = room.device("clock-01").await;
    device.publish(&shadow("clock-01", "update"), vec![b' '; 128 * 1024]).await.unwrap();
    assert_eq!(room.heard.request().await.payload.len(), 128 * 1024);
    assert!(device.publish(&shadow("clock-01", "update"), vec![b' '; 200 * 1024]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_caller_arrive_in_order_at_every_subscriber() {
    let room = Room::new().await;
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = room.device("clock-01").await;
    let mut backend = room.backend("backend").await;
    device.subscribe(&shadow("clock-01", "#"), 1).await;
    backend.subscribe("$aws/things/+/shadow/update/accepted", 0).await;
    for number in 0..500 {
        room.publish(&accepted, number.to_string()).await;
    }
    for number in 0..500 {
        let at_device = device.next().await;
        assert_eq!((at_device.text(), at_device.qos), (number.to_string(), 1));
        let at_backend = backend.next().await;
        assert_eq!((at_backend.text(), at_backend.qos), (number.to_string(), 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_names_with_a_dollar_are_routed() {
    let room = Room::new().await;
    let topic = shadow("clock-01", "name/$cfg/update/accepted");
    let mut exact = room.device("clock-01").await;
    exact.subscribe(&topic, 1).await;
    let mut wild = room.backend("wild").await;
    wild.subscribe(&shadow("+", "name/+/update/accepted"), 1).await;

    assert!(room.broker.has_subscriber(&topic).await);
    room.publish(&topic, "first").await;
    assert_eq!(exact.next().await.topic, topic);
    assert_eq!(wild.next().await.topic, topic);

    exact.unsubscribe(&topic).await;
    wild.disconnect().await;
    until("nobody subscribes", async || !room.broker.has_subscriber(&topic).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_are_known() {
    let room = Room::new().await;
    let documents = shadow("clock-01", "update/documents");
    assert!(!room.broker.has_subscriber(&documents).await);
    let mut device = room.device("clock-01").await;
    device.subscribe(&shadow("clock-01", "update/+"), 1).await;
    assert!(room.broker.has_subscriber(&documents).await);
    assert!(!room.broker.has_subscriber(&shadow("clock-02", "update/documents")).await);
}
