//! Who is there.

use std::sync::Arc;

use otaru_broker::{Ingress, Principal, Session};
use otaru_operations::MqttIngress;
use otaru_store::{Scope, StoreError, Tx};
use otaru_test_app::{Events, each_database};
use otaru_wire::ThingName;
use serde_json::{Value, json};

use super::home::{Home, MINUTE};

const DEVICE: &str = "/api/v1/devices/clock-01";

async fn next_presence(events: &mut Events) -> (String, Value) {
    loop {
        let event = events.next().await;
        if matches!(event.kind.as_str(), "device_online" | "device_offline") {
            assert!(event.id.is_some(), "it is an entry of the log");
            return (event.kind, event.body["thing"].clone());
        }
    }
}

each_database! {
    async fn the_owner_sees_the_device_come_and_go(app: TestApp) {
        let home = Home::new(app).await;
        let mut events = home.owner.listen("/app/listen").await;
        let shown = home.owner.get("/app/devices/clock-01").await.json();
        assert_eq!((&shown["online"], &shown["last_seen_at"]), (&json!(false), &Value::Null));

        let device = home.device.connect().await;
        assert_eq!(next_presence(&mut events).await, ("device_online".to_owned(), json!("clock-01")));
        let shown = home.owner.get("/app/devices/clock-01").await.json();
        assert_eq!((&shown["online"], &shown["last_seen_at"]), (&json!(true), &json!("2026-11-23T12:00:00.000Z")));

        home.app.advance(MINUTE);
        device.disconnect().await;
        assert_eq!(next_presence(&mut events).await, ("device_offline".to_owned(), json!("clock-01")));
        let shown = home.owner.get("/app/devices/clock-01").await.json();
        assert_eq!((&shown["online"], &shown["last_seen_at"]), (&json!(false), &json!("2026-11-23T12:01:00.000Z")));
    }

    async fn a_lost_connection_is_noticed(app: TestApp) {
        let home = Home::new(app).await;
        let mut events = home.owner.listen("/app/listen").await;
        drop(home.device.connect().await);
        assert_eq!(next_presence(&mut events).await.0, "device_online");
        assert_eq!(next_presence(&mut events).await.0, "device_offline");
    }

    async fn a_takeover_leaves_the_device_online(app: TestApp) {
        let home = Home::new(app).await;
        let mut first = home.device.connect().await;
        let mut second = home.device.connect().await;
        first.closed().await;
        second.report(json!({ "on": true })).await;
        assert_eq!(home.app.admin().get(DEVICE).await.json()["online"], true);
        second.disconnect().await;
        let mut events = home.owner.clone().with_header("last-event-id", "0").listen("/app/listen").await;
        let mut kinds = Vec::new();
        while kinds.iter().filter(|kind| *kind == "device_online").count() < 2 {
            kinds.push(next_presence(&mut events).await.0);
        }
        assert_eq!(next_presence(&mut events).await.0, "device_offline", "after {kinds:?}");
    }

    async fn nobody_is_online_when_the_server_starts(app: TestApp) {
        let mut home = Home::new(app).await;
        let device = home.device.connect().await;
        home.app.restart().await;
        drop(device);
        assert_eq!(home.app.admin().get(DEVICE).await.json()["online"], false);

        // Even if the clock stands still or was set back, the device comes back.
        let mut again = home.device.connect().await;
        again.report(json!({ "on": true })).await;
        assert_eq!(home.app.admin().get(DEVICE).await.json()["online"], true);
    }

    async fn a_device_revoked_while_it_was_let_in_is_put_out(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        let organisation = home.app.operations.default_organisation().clone();
        let thing = ThingName::new("clock-01").unwrap();
        // Between its CONNECT and its session: there is nobody to be told to go.
        let (scope, revoked) = (Scope::of(organisation.clone()), thing.clone());
        let revoke = move |tx: &mut Tx<'_>| {
            for certificate in otaru_store::certificates_of_thing(tx, &scope, &revoked)? {
                otaru_store::revoke_certificate(tx, &scope, &certificate, 1)?;
            }
            Ok::<_, StoreError>(())
        };
        home.app.store.write(revoke).await.unwrap();
        let session = Session {
            client_id: "clock-01".to_owned(),
            principal: Principal::Device { thing, organisation },
            certificate: Some(home.device.peer.clone()),
            session_id: "late".to_owned(),
            version_number: i64::MAX.unsigned_abs(),
            ip: None,
        };
        MqttIngress::new(home.app.operations.clone()).connected(Arc::new(session)).await;
        device.closed().await;
        let mut events = home.owner.clone().with_header("last-event-id", "0").listen("/app/listen").await;
        assert_eq!(next_presence(&mut events).await.0, "device_online");
        assert_eq!(next_presence(&mut events).await.0, "device_offline");
        assert_eq!(home.app.admin().get(DEVICE).await.json()["online"], false);
    }

    async fn a_revoked_device_is_put_out(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        let mut events = home.owner.listen("/app/listen").await;
        let revoke = "/api/v1/devices/clock-01/revoke";
        home.app.operator().await.post(revoke, json!({})).await.expect_status(204);
        device.closed().await;
        assert_eq!(next_presence(&mut events).await.0, "device_offline");
    }
}
