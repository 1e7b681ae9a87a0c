use std::time::Duration;

use otaru_store::{Notice, Scope, StoreError, Tx};
use otaru_test_app::{Client, Events, TestApp, each_database};
use serde_json::{Value, json};

/// A stream that is open, and the id of the token it was opened with.
async fn listen_with_token(app: &TestApp, expires_at: Value) -> (Client, Events, String) {
    let wanted = json!({ "role": "viewer", "expires_at": expires_at });
    let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
    let viewer = app.bearer(made["token"].as_str().unwrap());
    let mut events = viewer.listen("/api/v1/listen").await;
    events.place().await;
    (viewer, events, made["id"].as_str().unwrap().to_owned())
}

each_database! {
    async fn an_operator_hears_the_whole_fleet(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        let mut events = operator.listen("/api/v1/listen").await;

        operator
            .post("/api/v1/devices/clock-01/update", json!({ "version": "1.0.5" }))
            .await
            .expect_status(201);

        let event = events.next().await;
        assert_eq!((event.kind.as_str(), &event.body["thing"]), ("update_changed", &json!("clock-01")));
    }

    async fn a_stream_ends_when_its_token_is_revoked(app: TestApp) {
        let (_, mut other, _) = listen_with_token(&app, Value::Null).await;
        let (viewer, mut events, id) = listen_with_token(&app, Value::Null).await;
        app.admin().delete(&format!("/api/v1/tokens/{id}")).await.expect_status(204);
        events.ended().await;
        assert_eq!(viewer.get("/api/v1/listen").await.refusal(), "401 unauthenticated");

        // Only the streams of that token end.
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let wish = json!({ "version": "1.0.5" });
        app.operator().await.post("/api/v1/devices/clock-01/update", wish).await.expect_status(201);
        assert_eq!(other.next().await.kind, "update_changed");
    }

    async fn a_stream_ends_when_its_token_expires(app: TestApp) {
        let (_, mut events, _) = listen_with_token(&app, json!("2026-11-23T13:00:00Z")).await;
        app.advance(Duration::from_secs(3_600));
        events.ended().await;
    }

    async fn what_a_lost_commit_left_in_the_log_is_heard(app: TestApp) {
        let mut events = app.operator().await.listen("/api/v1/listen").await;
        events.place().await;
        let scope = Scope::of(app.operations.default_organisation().clone());
        let silent = move |tx: &mut Tx<'_>| {
            otaru_store::insert_event(tx, &scope, None, &[], "settings_changed", "{}", 1)
        };
        app.store.write::<_, StoreError>(silent).await.unwrap();
        app.store.notice_sender().send(Notice::CommitUncertain).unwrap();
        assert_eq!(events.next().await.kind, "settings_changed");
    }

    async fn a_stream_that_breaks_before_its_first_event_loses_nothing(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        let mut events = operator.listen("/api/v1/listen").await;
        let place = events.place().await;
        drop(events);

        let wish = json!({ "version": "1.0.5" });
        operator.post("/api/v1/devices/clock-01/update", wish).await.expect_status(201);

        let again = operator.with_header("last-event-id", &place);
        let event = again.listen("/api/v1/listen").await.next().await;
        assert_eq!((event.kind.as_str(), &event.body["thing"]), ("update_changed", &json!("clock-01")));
    }

    async fn a_screen_is_told_of_shadows_and_logs_and_an_owner_is_not(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let foreign = app.foreign_admin().await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let viewer = app.person("viewer@example.org", "viewer").await;
        let mut heard = viewer.listen("/api/v1/listen").await;
        let mut of_owner = owner.listen("/app/listen").await;
        let mut of_foreign = foreign.listen("/api/v1/listen").await;
        let mut agent = device.connect().await;
        assert_eq!(heard.next().await.kind, "device_online");
        assert_eq!(of_owner.next().await.kind, "device_online");

        agent.report(json!({ "lamp": 1 })).await;
        let event = heard.next().await;
        let told = json!({ "thing": "clock-01", "version": 1 });
        assert_eq!((event.kind.as_str(), &event.body, event.id), ("shadow_changed", &told, None));
        for lamp in 2..=20 {
            agent.report(json!({ "lamp": lamp })).await;
        }
        // However many there were meanwhile.
        while heard.next().await.body["version"] != 20 {}

        let shadow = json!({ "state": { "desired": { "a": 1 } } });
        app.admin().post("/things/clock-01/shadow?name=extra", shadow).await.expect_status(200);
        let event = heard.next().await;
        assert_eq!(event.body, json!({ "thing": "clock-01", "name": "extra", "version": 1 }));
        agent.publish("mia/things/clock-01/logs", r#"{"level":"INFO","message":"hello"}"#).await;
        let event = heard.next().await;
        assert_eq!((event.kind.as_str(), event.body), ("logs_added", json!({ "thing": "clock-01" })));

        // The next that others hear is their own affair.
        let name = json!({ "name": "Hall" });
        owner.put("/app/devices/clock-01", name).await.expect_status(200);
        assert_eq!(of_owner.next().await.kind, "device_changed");
        let product = json!({ "name": "lamp", "chip": "esp32c3", "flash_bytes": 4 << 20,
            "root": app.keys().root_base64(), "download": "device" });
        foreign.post("/api/v1/products", product).await.expect_status(201);
        let lamp = json!({ "thing": "lamp-01", "product": "lamp" });
        foreign.post("/api/v1/devices", lamp).await.expect_status(201);
        let wish = json!({ "state": { "desired": { "a": 1 } } });
        foreign.post("/things/lamp-01/shadow", wish).await.expect_status(200);
        assert_eq!(of_foreign.next().await.body["thing"], "lamp-01");
    }
}
