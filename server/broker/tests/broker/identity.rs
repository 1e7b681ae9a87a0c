//! Who gets in, and as whom.

use otaru_authority::Authority;
use otaru_broker::{Broker, BrokerError, Principal};
use otaru_wire::{OrganisationId, TemplateName, ThingName};

use crate::client::{NotIn, Options};
use crate::room::{Room, config, now, shadow, until};
use crate::service::Service;

/// Where a claim is answered with a private key.
const KEYS: &str = "$aws/certificates/create/json/accepted";

fn claim() -> Option<Principal> {
    let template = TemplateName::new("clocks").unwrap();
    Some(Principal::Claim { organisation: OrganisationId::default(), template })
}

const NOT_AUTHORIZED: Option<NotIn> = Some(NotIn::Refused(5));

#[tokio::test]
async fn device_is_the_thing_its_certificate_names() {
    let mut room = Room::new().await;
    let organisation = OrganisationId::new("acme").unwrap();
    let thing = ThingName::new("clock-01").unwrap();
    let certificate = room.authority.issue_device(&thing, &organisation, now()).unwrap();

    let _device = room.lasting_device(&certificate, "clock-01").await;

    let session = room.heard.connected().await;
    assert_eq!(session.principal, Principal::Device { thing, organisation });
    assert_eq!(session.client_id, "clock-01");
    assert!(session.ip.unwrap().is_loopback());
}

#[tokio::test]
async fn client_id_other_than_the_common_name_is_refused() {
    let room = Room::new().await;
    let certificate = room.certificate("clock-01");
    for client_id in ["clock-02", "Clock-01", "clock-01 "] {
        let refused = room.try_device(Some(&certificate), Options::clean(client_id)).await;
        assert_eq!(refused.err(), NOT_AUTHORIZED, "{client_id}");
    }
    // Without a client id the broker makes one up, which no certificate names.
    let refused = room.try_device(Some(&certificate), Options::clean("")).await;
    assert_eq!(refused.err(), NOT_AUTHORIZED);
}

#[tokio::test]
async fn client_without_certificate_is_refused() {
    let room = Room::new().await;
    let refused = room.try_device(None, Options::clean("clock-01")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));
}

#[tokio::test]
async fn certificate_of_another_authority_is_refused() {
    let (room, other) = (Room::new().await, Room::new().await);
    let foreign = other.certificate("clock-01");
    let refused = room.try_device(Some(&foreign), Options::clean("clock-01")).await;
    assert_eq!(refused.err(), Some(NotIn::Closed));
}

#[tokio::test]
async fn revoked_certificate_is_refused_and_another_of_the_same_thing_is_not() {
    let room = Room::new().await;
    let (revoked, good) = (room.certificate("clock-01"), room.certificate("clock-01"));
    room.service.revoke(&revoked.serial);

    let refused = room.try_device(Some(&revoked), Options::clean("clock-01")).await;

    assert_eq!(refused.err(), NOT_AUTHORIZED);
    room.lasting_device(&good, "clock-01").await;
}

#[tokio::test]
async fn service_cannot_make_a_device_more_than_its_certificate_says() {
    let room = Room::new().await;
    let organisation = OrganisationId::default();
    let certificate = room.certificate("clock-01");
    for wrong in [
        Principal::Backend { organisation: organisation.clone() },
        Principal::Device { thing: ThingName::new("clock-02").unwrap(), organisation },
    ] {
        *room.service.mistaken_for.lock().unwrap() = Some(wrong);
        let refused = room.try_device(Some(&certificate), Options::clean("clock-01")).await;
        assert_eq!(refused.err(), NOT_AUTHORIZED);
    }
}

#[tokio::test]
async fn backend_cannot_take_the_session_of_a_device() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    device.subscribe(&shadow("clock-01", "update/accepted"), 1).await;

    let refused = room.try_backend(Options::persistent("clock-01")).await;
    assert_eq!(refused.err(), NOT_AUTHORIZED);

    // Nor while the device is away.
    device.disconnect().await;
    room.heard.disconnected().await;
    let refused = room.try_backend(Options::persistent("clock-01")).await;
    assert_eq!(refused.err(), NOT_AUTHORIZED);
    assert!(room.lasting_device(&certificate, "clock-01").await.session_present);
}

#[tokio::test]
async fn device_does_not_inherit_what_a_backend_of_its_name_subscribed_to() {
    let mut room = Room::new().await;
    let mut backend = room.try_backend(Options::persistent("clock-01")).await.unwrap();
    backend.subscribe("$aws/things/#", 1).await;
    backend.disconnect().await;
    room.heard.disconnected().await;

    let mut device = room.lasting_device(&room.certificate("clock-01"), "clock-01").await;

    assert!(!device.session_present);
    device.subscribe(&shadow("clock-01", "update/accepted"), 1).await;
    room.publish(&shadow("clock-02", "update/accepted"), "secret").await;
    room.publish(&shadow("clock-01", "update/accepted"), "own").await;
    assert_eq!(device.next().await.text(), "own");
}

#[tokio::test]
async fn nobody_goes_on_with_the_session_of_a_claim() {
    for (next, own) in [(claim(), KEYS.to_owned()), (None, shadow("clock-01", "get/accepted"))] {
        let mut room = Room::new().await;
        let certificate = room.certificate("clock-01");
        *room.service.mistaken_for.lock().unwrap() = claim();
        let mut first = room.lasting_device(&certificate, "clock-01").await;
        first.acknowledges = false;
        first.subscribe(KEYS, 1).await;
        room.publish(KEYS, "the first one's").await;
        assert_eq!(first.next().await.text(), "the first one's");
        *room.service.mistaken_for.lock().unwrap() = next;

        let mut second = room.lasting_device(&certificate, "clock-01").await;

        room.heard.disconnected().await;
        assert!(!second.session_present);
        room.publish(KEYS, "the first one's again").await;
        second.subscribe(&own, 1).await;
        room.publish(&own, "own").await;
        assert_eq!(second.next().await.text(), "own");
    }
}

#[tokio::test]
async fn a_claims_session_ends_with_its_connection() {
    let mut room = Room::new().await;
    let certificate = room.certificate("clock-01");
    *room.service.mistaken_for.lock().unwrap() = claim();
    let mut device = room.lasting_device(&certificate, "clock-01").await;
    device.subscribe(KEYS, 1).await;
    device.disconnect().await;
    room.heard.disconnected().await;
    until("nobody subscribes", async || !room.broker.has_subscriber(KEYS).await).await;
}

#[tokio::test]
async fn a_backend_takes_its_name_back_from_a_claim() {
    let mut room = Room::new().await;
    *room.service.mistaken_for.lock().unwrap() = claim();
    let mut claim = room.lasting_device(&room.certificate("clock-01"), "clock-01").await;
    claim.subscribe(KEYS, 1).await;
    let mut backend = room.try_backend(Options::persistent("clock-01")).await.unwrap();
    claim.closed().await;
    room.heard.disconnected().await;
    assert!(!backend.session_present);
    backend.subscribe("home/kitchen", 1).await;
}

#[tokio::test]
async fn plain_listener_refuses_addresses_others_can_reach() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(dir.path(), now()).unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:1883"] {
        let mut config = config(&authority);
        config.mqtts = None;
        config.plain = Some(address.parse().unwrap());
        let refused = Broker::start(config, Service::new().0).await.err();
        assert!(matches!(refused, Some(BrokerError::PlainNotLoopback { .. })), "{address}");
    }
}

#[tokio::test]
async fn taken_port_is_named() {
    let room = Room::new().await;
    let mut taken = config(&room.authority);
    taken.plain = Some(room.plain());
    let refused = Broker::start(taken, Service::new().0).await.err().unwrap();
    assert!(matches!(refused, BrokerError::Bind { address, .. } if address == room.plain()));
}
