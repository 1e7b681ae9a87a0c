//! Who asks for more than they may: the hurried wait, and who does not stop is sent away.

use std::time::Duration;

use otaru_authority::{IssuedDevice, Unnamed};
use otaru_broker::{DeviceLimits, DisconnectReason, Principal};
use otaru_wire::{OrganisationId, TemplateName};
use tokio::net::TcpStream;

use crate::client::{Client, NotIn, Options};
use crate::room::{Room, now, shadow, until};

const THING: &str = "clock-01";

/// MQTT 3.1.1 has no other word for what may be so later.
const UNAVAILABLE: Option<NotIn> = Some(NotIn::Refused(3));

async fn send_numbers(device: &mut Client, topic: &str, count: usize) {
    for number in 0..count {
        device.send_publish(topic, number.to_string().as_bytes(), 1, false).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_too_much_waits_and_loses_nothing() {
    let limits = DeviceLimits { requests_per_s: 5, ..DeviceLimits::NONE };
    let (mut room, hand) = Room::limited(limits).await;
    let update = shadow(THING, "update");
    let mut device = room.device(THING).await;

    send_numbers(&mut device, &update, 8).await;

    for number in 0..5 {
        assert_eq!(room.heard.request().await.payload, number.to_string());
    }
    until("it waits", async || room.broker.counts().slowed == 1).await;
    assert!(!room.heard.has_request());
    hand.move_on(200);
    assert_eq!(room.heard.request().await.payload, "5");
    assert!(!room.heard.has_request());
    // Others do not wait for it.
    let mut other = room.device("clock-02").await;
    other.publish(&shadow("clock-02", "update"), "other").await.unwrap();
    assert_eq!(room.heard.request().await.payload, "other");
    hand.move_on(1_000);
    for number in 6..8 {
        assert_eq!(room.heard.request().await.payload, number.to_string());
    }
    device.ping().await.unwrap();
    assert_eq!(room.broker.counts().slowed, 1, "a connection is counted once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_counted_with_the_messages() {
    let limits = DeviceLimits { bytes_per_s: 200_000, ..DeviceLimits::NONE };
    let (mut room, hand) = Room::limited(limits).await;
    let logs = "mia/things/clock-01/logs";
    let mut device = room.device(THING).await;
    let payload = vec![b'x'; 90_000];
    for _ in 0..3 {
        device.send_publish(logs, &payload, 1, false).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(room.heard.request().await.payload.len(), payload.len());
    }
    until("it waits", async || room.broker.counts().slowed == 1).await;
    assert!(!room.heard.has_request());
    hand.move_on(500);
    assert_eq!(room.heard.request().await.payload.len(), payload.len());
}

/// A loop of pings or subscriptions costs what messages cost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_filters_count_as_messages_do() {
    let limits = DeviceLimits { requests_per_s: 3, ..DeviceLimits::NONE };
    let (room, hand) = Room::limited(limits).await;
    let mut device = room.device(THING).await;
    let delta = shadow(THING, "update/delta");
    device.subscribe(&delta, 1).await;
    device.unsubscribe(&delta).await;
    device.ping().await.unwrap();
    assert_eq!(room.broker.counts().slowed, 0);
    // It is answered, and the next is not read.
    device.ping().await.unwrap();
    until("it waits", async || room.broker.counts().slowed == 1).await;
    hand.move_on(1_000);
    device.subscribe(&delta, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_holds_so_many_filters() {
    let limits = DeviceLimits { subscriptions: 2, ..DeviceLimits::NONE };
    let (room, _hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    let mut device = room.lasting_device(&certificate, THING).await;
    let filters = ["update/delta", "update/accepted", "get/accepted"].map(|of| shadow(THING, of));
    assert_eq!(device.subscribe(&filters[0], 1).await, 1);
    assert_eq!(device.subscribe(&filters[1], 1).await, 1);
    assert_eq!(device.subscribe(&filters[2], 1).await, 0x80);
    assert_eq!(device.subscribe(&filters[1], 0).await, 0, "one it has is none more");
    assert_eq!(room.broker.counts().refused_subscriptions, 1);

    device.disconnect().await;
    let mut device = room.lasting_device(&certificate, THING).await;
    assert!(device.session_present);
    assert_eq!(device.subscribe(&filters[2], 1).await, 0x80);
    device.unsubscribe(&filters[0]).await;
    assert_eq!(device.subscribe(&filters[2], 1).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_stop_to_subscribe_elsewhere_is_sent_away() {
    let (mut room, _hand) = Room::limited(DeviceLimits::USUAL).await;
    let mut device = room.device(THING).await;
    let foreign = shadow("clock-02", "#");
    for _ in 0..99 {
        assert_eq!(device.subscribe(&foreign, 1).await, 0x80);
    }
    assert_eq!(room.broker.counts().cut_off, 0);
    assert_eq!(device.subscribe(&foreign, 1).await, 0x80);
    device.closed().await;
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ForbiddenAccess);
    let counts = room.broker.counts();
    assert_eq!((counts.cut_off, counts.refused_subscriptions, counts.slowed), (1, 100, 0));
}

/// Refused a hundred times in one packet, it is not made to wait for the rest of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_packet_with_too_much_in_it_is_enough() {
    let limits = DeviceLimits { requests_per_s: 100, ..DeviceLimits::NONE };
    let (mut room, _hand) = Room::limited(limits).await;
    let mut device = room.device(THING).await;
    let foreign: Vec<String> =
        (0..1_000).map(|number| shadow(&format!("x{number}"), "#")).collect();
    device.subscribe_all(&foreign).await;
    device.closed().await;
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ForbiddenAccess);
    let counts = room.broker.counts();
    assert_eq!((counts.cut_off, counts.refused_subscriptions), (1, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_too_often_comes_later() {
    let limits = DeviceLimits { connects_per_min: 2, ..DeviceLimits::NONE };
    let (room, hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    let connect = || room.try_device(Some(&certificate), Options::clean(THING));
    connect().await.expect("let in");
    let mut second = connect().await.expect("let in");

    assert_eq!(connect().await.err(), UNAVAILABLE);
    assert_eq!(connect().await.err(), UNAVAILABLE);

    second.ping().await.expect("who is in stays");
    room.device("clock-02").await;
    room.device_with(&room.certificate(THING), Options::clean(THING)).await;
    hand.move_on(30_000);
    connect().await.expect("let in again");
    assert_eq!(room.broker.counts().put_off, 2);
}

/// The devices of a batch before they are somebody, all with one certificate.
struct Batch {
    certificate: IssuedDevice,
}

impl Batch {
    fn new(room: &Room) -> Batch {
        let organisation = OrganisationId::default();
        let template = TemplateName::new("clocks").unwrap();
        let claim = Principal::Claim { organisation: organisation.clone(), template };
        *room.service.mistaken_for.lock().unwrap() = Some(claim);
        let day = Duration::from_secs(24 * 60 * 60);
        let issued = room.authority.issue_unnamed(Unnamed::Claim, &organisation, day, now());
        let (signed, key_pem) = issued.unwrap();
        let certificate = IssuedDevice {
            cert_pem: signed.cert_pem,
            key_pem,
            issuer: signed.issuer,
            serial: signed.serial,
            not_after: signed.not_after,
        };
        Batch { certificate }
    }

    async fn connect(&self, room: &Room, client_id: &str) -> Result<Client, NotIn> {
        room.try_device(Some(&self.certificate), Options::persistent(client_id)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_has_so_many_connections() {
    let limits = DeviceLimits { batch_connections: 2, ..DeviceLimits::NONE };
    let (mut room, _hand) = Room::limited(limits).await;
    let batch = Batch::new(&room);
    let first = batch.connect(&room, "new-1").await.expect("let in");
    let _second = batch.connect(&room, "new-2").await.expect("let in");

    assert_eq!(batch.connect(&room, "new-3").await.err(), UNAVAILABLE);

    first.disconnect().await;
    room.heard.disconnected().await;
    batch.connect(&room, "new-3").await.expect("there is room again");
}

/// Ever new client ids would fill the memory with sessions that nobody may go on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_claim_outlives_its_connection() {
    let room = Room::new().await;
    let batch = Batch::new(&room);
    let accepted = "$aws/certificates/create/json/accepted";
    let mut claim = batch.connect(&room, "new-1").await.expect("let in");
    assert_eq!(claim.subscribe(accepted, 1).await, 1);
    assert!(room.broker.has_subscriber(accepted).await);
    claim.disconnect().await;
    until("its session is over", async || !room.broker.has_subscriber(accepted).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_one_address_wait_for_their_turn() {
    let limits = DeviceLimits { site_connects_per_s: 1, ..DeviceLimits::NONE };
    let (room, hand) = Room::limited(limits).await;
    let certificate = room.certificate(THING);
    let mut inside = room.lasting_device(&certificate, THING).await;
    let mut waiting = Vec::new();
    for _ in 0..10 {
        waiting.push(TcpStream::connect(room.mqtts()).await.unwrap());
    }
    // Its turn would come when it has long given up.
    let connect = || room.try_device(Some(&certificate), Options::persistent(THING));
    assert_eq!(connect().await.err(), Some(NotIn::Closed));
    inside.ping().await.unwrap();
    hand.move_on(11_000);
    connect().await.expect("let in");
}
