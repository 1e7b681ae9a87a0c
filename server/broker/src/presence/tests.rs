//! Why a connection ended, and claims that go on with a session: only a race brings that about, so
//! it is made here.

use std::time::Duration;

use async_trait::async_trait;
use otaru_wire::{Namespace, OrganisationId, TemplateName, ThingName, Topic};
use rmqtt::types::Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::admission::Admitted;
use crate::{Broker, BrokerConfig, Connect, Ingress, NotTaken, OpenDelta, Refused, Request};

/// MQTT 3.1.1, without a clean session, as `clock-01`.
const CONNECT: &[u8] = b"\x10\x14\0\x04MQTT\x04\0\0\x3c\0\x08clock-01";
const PINGREQ: &[u8] = b"\xc0\0";
const PINGRESP: &[u8] = b"\xd0\0";

/// A service that lets everybody in.
struct Open;

#[async_trait]
impl Ingress for Open {
    async fn authenticate(&self, _: &Connect) -> Result<Principal, Refused> {
        Ok(Principal::Backend { organisation: OrganisationId::default() })
    }

    async fn message(&self, _: Request) -> Result<(), NotTaken> {
        Ok(())
    }

    async fn connected(&self, _: Arc<Session>) {}

    async fn disconnected(&self, _: Arc<Session>, _: DisconnectReason) {}

    async fn open_deltas(&self, _: &ThingName) -> Vec<OpenDelta> {
        Vec::new()
    }

    async fn delivered(&self, _: &ThingName, _: &Topic, _: &[u8]) {}
}

async fn broker() -> Broker {
    let config = BrokerConfig {
        mqtts: None,
        plain: Some("127.0.0.1:0".parse().unwrap()),
        namespace: Namespace::default(),
        clock: Arc::new(|| 0),
        retained_is_refused: true,
    };
    Broker::start(config, Arc::new(Open)).await.unwrap()
}

/// What comes next, and nothing once it is closed.
async fn next(wire: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 64];
    let read = tokio::time::timeout(Duration::from_secs(20), wire.read(&mut bytes)).await;
    bytes[..read.expect("the broker says something in time").unwrap()].to_vec()
}

async fn ping(wire: &mut TcpStream) -> Vec<u8> {
    wire.write_all(PINGREQ).await.unwrap();
    next(wire).await
}

/// A connection, and whether it goes on with a session.
async fn connect(broker: &Broker) -> (TcpStream, bool) {
    let mut wire = TcpStream::connect(broker.addresses().plain.unwrap()).await.unwrap();
    wire.write_all(CONNECT).await.unwrap();
    let connack = next(&mut wire).await;
    assert_eq!((connack[0], connack[3]), (0x20, 0));
    (wire, connack[2] == 1)
}

/// Has it let in a second time, as a claim.
async fn let_in_as_claim(broker: &Broker) {
    let hub = broker.hub();
    let id = Id::from(hub.mqtt.node.id(), "clock-01".into());
    let mqtt = hub.mqtt.extends.shared().await.entry(id).session().unwrap();
    let principal = Principal::Claim {
        organisation: OrganisationId::default(),
        template: TemplateName::new("clocks").unwrap(),
    };
    let principal_id = String::new();
    let admitted = Admitted { principal, principal_id, certificate: None, claim: None };
    hub.remember(mqtt.id.clone(), admitted);
    hub.client_connected(&mqtt).await;
}

#[tokio::test]
async fn a_claim_that_goes_on_with_a_session_is_ended() {
    let broker = broker().await;
    let (_before, _) = connect(&broker).await;
    let (mut claim, goes_on) = connect(&broker).await;
    assert!(goes_on);
    assert_eq!(ping(&mut claim).await, PINGRESP);
    let_in_as_claim(&broker).await;
    assert_eq!(next(&mut claim).await, b"");
}

#[tokio::test]
async fn a_claim_with_a_session_of_its_own_stays() {
    let broker = broker().await;
    let (mut claim, goes_on) = connect(&broker).await;
    assert!(!goes_on);
    let_in_as_claim(&broker).await;
    assert_eq!(ping(&mut claim).await, PINGRESP);
}

#[test]
fn first_telling_reason_counts() {
    let gone = Reason::ConnectRemoteClose;
    let check = |reasons: Vec<Reason>, expected| {
        assert_eq!(disconnect_reason(&Reason::Reasons(reasons)), expected);
    };
    check(vec![], DisconnectReason::ConnectionLost);
    check(vec![gone.clone()], DisconnectReason::ConnectionLost);
    check(
        vec![Reason::ConnectDisconnect(None), gone.clone()],
        DisconnectReason::ClientInitiatedDisconnect,
    );
    check(vec![gone, Reason::ConnectKicked(false)], DisconnectReason::DuplicateClientId);
}

#[test]
fn socket_errors_are_no_fault_of_the_client() {
    let lost = Reason::Error("io error, \"Connection reset by peer\"".into());
    assert_eq!(disconnect_reason(&lost), DisconnectReason::ConnectionLost);
    let nonsense = Reason::Error("Malformed packet".into());
    assert_eq!(disconnect_reason(&nonsense), DisconnectReason::ClientError);
}
