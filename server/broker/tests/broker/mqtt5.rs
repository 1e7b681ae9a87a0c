//! MQTT 5, by rumqttc.

use std::time::Duration;

use otaru_authority::IssuedDevice;
use otaru_broker::DisconnectReason;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{
    ConnAck, Packet, PubAckReason, Publish, PublishProperties, SubscribeReasonCode,
};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, PublishOptions,
    TlsConfiguration, Transport,
};

use crate::client::PATIENCE;
use crate::room::{Room, now, shadow};
use crate::service::delta_payload;

pub(crate) struct Device {
    pub(crate) client: AsyncClient,
    pub(crate) events: EventLoop,
}

pub(crate) fn device(room: &Room, certificate: &IssuedDevice, client_id: &str) -> Device {
    let mut options = MqttOptions::new(client_id, ("localhost", room.mqtts().port()));
    let tls = room.client_tls(Some(certificate));
    options.set_transport(Transport::Tls(TlsConfiguration::from(tls)));
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(600));
    let (client, events) = AsyncClient::builder(options).capacity(100).build();
    Device { client, events }
}

/// A program of this machine.
fn backend(room: &Room, client_id: &str) -> Device {
    let options = MqttOptions::new(client_id, ("127.0.0.1", room.plain().port()));
    let (client, events) = AsyncClient::builder(options).capacity(100).build();
    Device { client, events }
}

impl Device {
    /// The next packet of the kind wanted.
    pub(crate) async fn next<T>(
        &mut self,
        mut wanted: impl FnMut(Packet) -> Option<T>,
    ) -> Result<T, ConnectionError> {
        let found = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await?
                    && let Some(found) = wanted(packet)
                {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the broker says something in time")
    }

    pub(crate) async fn connack(&mut self) -> Result<ConnAck, ConnectionError> {
        self.next(|packet| match packet {
            Packet::ConnAck(connack) => Some(connack),
            _ => None,
        })
        .await
    }

    async fn message(&mut self) -> Publish {
        let message = self.next(|packet| match packet {
            Packet::Publish(message) => Some(message),
            _ => None,
        });
        message.await.unwrap()
    }

    pub(crate) async fn puback(&mut self) -> PubAckReason {
        let reason = self.next(|packet| match packet {
            Packet::PubAck(puback) => Some(puback.reason),
            _ => None,
        });
        reason.await.unwrap()
    }

    pub(crate) async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QoS::ExactlyOnce).await.unwrap();
        let code = self.next(|packet| match packet {
            Packet::SubAck(suback) => Some(suback.return_codes[0]),
            _ => None,
        });
        code.await.unwrap()
    }
}

#[tokio::test]
async fn device_works_over_mqtt_5() {
    let mut room = Room::new().await;
    let delta = shadow("clock-01", "update/delta");
    room.service.open(&delta, 5);
    let certificate = room.certificate("clock-01");
    let mut device = device(&room, &certificate, "clock-01");

    let connack = device.connack().await.unwrap();
    let properties = connack.properties.unwrap();
    assert_eq!(properties.max_qos, Some(1));
    assert_eq!(properties.retain_available, Some(0));
    assert_eq!(
        device.subscribe(&shadow("clock-02", "#")).await,
        SubscribeReasonCode::NotAuthorized
    );
    assert_eq!(device.subscribe(&delta).await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    assert_eq!(device.message().await.payload, delta_payload(5));

    let update = shadow("clock-01", "update");
    device.client.publish(update, "{}", PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(device.puback().await, PubAckReason::Success);
    assert_eq!(room.heard.request().await.payload, "{}");

    let foreign = shadow("clock-02", "update");
    device.client.publish(&foreign, "{}", PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(device.puback().await, PubAckReason::NotAuthorized);
    assert!(!room.heard.has_request());
    // At QoS 0 nothing but the end of the connection says so.
    device.client.publish(&foreign, "{}", PublishOptions::at_most_once()).await.unwrap();
    device.next(|_| None::<()>).await.unwrap_err();
    assert_eq!(room.heard.disconnected().await.1, DisconnectReason::ForbiddenAccess);
    assert!(!room.heard.has_request());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_at_once_is_let_in() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    for _ in 0..3 {
        let mut device = device(&room, &certificate, "clock-01");
        device.events.options.set_clean_start(true);
        device.events.options.set_session_expiry_interval(None);
        device.connack().await.expect("let in");
        device.client.disconnect().await.unwrap();
        device.next(|_| None::<()>).await.unwrap_err();
    }
}

#[tokio::test]
async fn wrong_client_id_is_not_authorized() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let refused = device(&room, &certificate, "clock-02").connack().await;
    assert!(
        matches!(
            refused,
            Err(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized))
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn session_expiry_keeps_messages_for_an_absent_device() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut absent = device(&room, &certificate, "clock-01");
    absent.connack().await.unwrap();
    absent.subscribe(&accepted).await;
    drop(absent);
    room.heard.disconnected().await;
    room.publish(&accepted, "waiting").await;

    // rumqttc keeps no session of its own here, so it has to be told to accept the broker's.
    let mut back = device(&room, &certificate, "clock-01");
    back.events
        .options
        .set_broker_session_resume_policy(rumqttc::BrokerSessionResumePolicy::AllowBrokerOnly);
    assert!(back.connack().await.unwrap().session_present);
    assert_eq!(back.message().await.payload, "waiting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_that_takes_one_message_at_a_time_gets_all() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = device(&room, &certificate, "clock-01");
    device.events.options.set_receive_maximum(Some(1));
    device.connack().await.unwrap();
    device.subscribe(&accepted).await;
    for number in 0..200 {
        room.publish(&accepted, number.to_string()).await;
    }
    for number in 0..200 {
        assert_eq!(device.message().await.payload, number.to_string());
    }
    // A request of its own is taken meanwhile.
    let update = shadow("clock-01", "update");
    device.client.publish(update, "{}", PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(device.puback().await, PubAckReason::Success);
    assert_eq!(room.heard.request().await.payload, "{}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_a_device_takes_is_left_out() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let accepted = shadow("clock-01", "update/accepted");
    let mut device = device(&room, &certificate, "clock-01");
    device.events.options.set_max_packet_size(Some(1_000));
    device.connack().await.unwrap();
    device.subscribe(&accepted).await;
    let overhead = 5 + 2 + accepted.len() + 2 + 1;
    room.publish(&accepted, "x".repeat(1_001 - overhead)).await;
    let largest = "y".repeat(1_000 - overhead);
    room.publish(&accepted, &largest).await;
    assert_eq!(device.message().await.payload, largest);
    assert_eq!(room.broker.counts().dropped_too_large, 1);
}

/// Tried, it would end every connection of the session that follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_by_its_properties_is_left_out() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let update = shadow("clock-01", "update");
    let mut device = device(&room, &certificate, "clock-01");
    device.events.options.set_max_packet_size(Some(1_000));
    device.connack().await.unwrap();
    device.subscribe(&update).await;
    let note = ("note".to_owned(), "x".repeat(2_000));
    let noted = PublishProperties { user_properties: vec![note], ..PublishProperties::default() };
    let noted = PublishOptions::at_least_once().properties(noted);
    device.client.publish(&update, "large", noted).await.unwrap();
    device.client.publish(&update, "small", PublishOptions::at_least_once()).await.unwrap();
    assert_eq!(device.message().await.payload, "small");
    assert_eq!(room.broker.counts().dropped_too_large, 1);
}

/// Its sender says how long it is worth something, and it waits for longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_too_long_is_left_out_and_is_not_too_large() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let update = shadow("clock-01", "update");
    let mut absent = device(&room, &certificate, "clock-01");
    absent.connack().await.unwrap();
    absent.subscribe(&update).await;
    let lasting = |seconds| {
        let properties =
            PublishProperties { message_expiry_interval: seconds, ..Default::default() };
        PublishOptions::at_least_once().properties(properties)
    };
    let mut backend = backend(&room, "backend-01");
    backend.connack().await.unwrap();
    drop(absent);
    room.heard.disconnected().await;
    backend.client.publish(&update, "short", lasting(Some(1))).await.unwrap();
    backend.puback().await;
    backend.client.publish(&update, "for ever", lasting(None)).await.unwrap();
    backend.puback().await;
    // It is the broker's own clock that decides.
    let sent_at = now();
    while now().duration_since(sent_at).unwrap() <= Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let mut back = device(&room, &certificate, "clock-01");
    back.events
        .options
        .set_broker_session_resume_policy(rumqttc::BrokerSessionResumePolicy::AllowBrokerOnly);
    back.connack().await.unwrap();
    assert_eq!(back.message().await.payload, "for ever");
    let counts = room.broker.counts();
    assert_eq!((counts.dropped_expired, counts.dropped_too_large), (1, 0));
}
