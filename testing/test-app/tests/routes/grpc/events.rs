//! What is heard: the same as by server-sent events, whatever the transport.

use otaru_test_app::{Events, TestApp, each_database};
use otaru_wire::notifications::ListenUpdatesRequest;
use serde_json::json;

use super::client::{self, Told, after, fleet, listen};
use super::web::WebUpdates;
use crate::lifecycle::home::{Home, UPDATE, progress};

/// The bearer token of a new owner.
pub(super) async fn token_of(app: &TestApp, email: &str) -> String {
    let made = app.admin().post("/api/v1/tokens", json!({ "user": email })).await;
    made.expect_status(201).json()["token"].as_str().expect("a token").to_owned()
}

async fn as_told(events: &mut Events) -> Told {
    let event = events.next().await;
    (event.id.map(|id| id.parse().expect("a number")), event.kind, event.body)
}

/// Makes one event of every kind, bytes without an id included.
async fn everything_happens(home: &Home) {
    let mut agent = home.agent().await;
    home.owner.put("/app/devices/clock-01", json!({ "name": "Hall" })).await.expect_status(200);
    let wish = json!({ "phrase_type": "poetic", "volume": 3, "night": null });
    home.owner.put("/app/devices/clock-01/settings", wish).await.expect_status(200);
    home.app.publish("clock", "1.0.6", 3).await;
    let update = home.install_told(&mut agent).await;
    agent.progress(progress("downloading", 1_000)).await;
    home.until_phase("downloading").await;
    home.app.advance(std::time::Duration::from_secs(2));
    agent.progress(progress("downloading", 50_000)).await;
    let verdict = home.verdict(&update, "rolled_back", Some(33));
    agent.report(home.runs_old(verdict)).await;
    agent.disconnect().await;
}

each_database! {
    async fn all_streams_tell_the_same_in_the_same_order(app: TestApp) {
        let home = Home::new(app).await;
        let token = token_of(&home.app, "ada@example.org").await;
        let (serving, (secure, trust)) = (home.app.serve_plain(), home.app.serve_tls());
        let mut by_sse = home.owner.listen("/app/listen").await;
        by_sse.place().await;
        let from_now = ListenUpdatesRequest::default();
        let mut by_h2c =
            listen(&client::plain(&serving).await, Some(&token), from_now).await.expect("a stream");
        let mut by_tls = listen(&client::over_tls(&secure, trust).await, Some(&token), from_now)
            .await
            .expect("a stream");
        let mut by_web = WebUpdates::listen(&serving, &token, &from_now).await;
        for place in [by_h2c.place().await, by_tls.place().await, by_web.place().await] {
            assert_eq!(place.to_string(), by_sse.place().await);
        }

        // Until its first event a stream reads the log, which has no bytes.
        home.owner.put("/app/devices/clock-01", json!({ "name": "First" })).await.expect_status(200);
        let first = as_told(&mut by_sse).await;
        for told in [by_h2c.told().await, by_tls.told().await, by_web.told().await] {
            assert_eq!(told, first);
        }

        everything_happens(&home).await;

        let mut kinds = Vec::new();
        while kinds.last().is_none_or(|kind| kind != "device_offline") {
            let told = as_told(&mut by_sse).await;
            assert_eq!(by_h2c.told().await, told);
            assert_eq!(by_tls.told().await, told);
            assert_eq!(by_web.told().await, told);
            kinds.push(if told.0.is_some() { told.1 } else { format!("{} tick", told.1) });
        }
        for kind in [
            "device_online", "device_changed", "settings_changed", "firmware_available",
            "update_changed", "update_changed tick", "update_finished", "device_offline",
        ] {
            assert!(kinds.iter().any(|seen| seen == kind), "no {kind} in {kinds:?}");
        }
    }

    async fn who_comes_back_has_lost_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let token = token_of(&home.app, "ada@example.org").await;
        let serving = home.app.serve_plain();
        let mut all = home.owner.listen("/app/listen").await;
        let channel = client::plain(&serving).await;
        let mut updates = listen(&channel, Some(&token), ListenUpdatesRequest::default()).await.expect("a stream");
        // It breaks before its first event.
        let mut last = updates.place().await;
        drop(updates);
        let rename = async |name: &str| {
            home.owner.put("/app/devices/clock-01", json!({ "name": name })).await.expect_status(200);
        };
        for name in ["one", "two", "three"] {
            rename(name).await;
        }
        let mut updates = listen(&channel, Some(&token), after(last)).await.expect("a stream");
        assert_eq!(updates.place().await, last);
        // It breaks among those it was away for.
        let told = updates.told().await;
        assert_eq!(told, as_told(&mut all).await);
        last = told.0.expect("an entry of the log");
        drop((updates, channel));
        rename("four").await;
        home.install("1.0.5").await;

        let channel = client::plain(&serving).await;
        let mut updates = listen(&channel, Some(&token), after(last)).await.expect("a stream");
        home.owner.delete(UPDATE).await.expect_status(200);
        let mut count = 0;
        loop {
            let told = as_told(&mut all).await;
            assert_eq!(updates.told().await, told);
            count += 1;
            if told.1 == "update_finished" {
                break;
            }
        }
        assert!(count >= 5, "three names, a beginning and an end: {count}");
    }

    async fn nobody_hears_of_what_is_not_theirs(app: TestApp) {
        let home = Home::new(app).await;
        let app = &home.app;
        app.owner("bo@example.org").await;
        let neighbour = token_of(app, "bo@example.org").await;
        let foreign = app.foreign_admin().await;
        let made = foreign.post("/api/v1/tokens", json!({ "role": "admin" })).await.expect_status(201);
        let stranger = made.json()["token"].as_str().expect("a token").to_owned();
        let operator = app.admin().post("/api/v1/tokens", json!({ "role": "operator" })).await.json();
        let serving = app.serve_plain();
        let channel = client::plain(&serving).await;
        let mut theirs = listen(&channel, Some(&stranger), fleet()).await.expect("a stream");
        let mut own = listen(&channel, Some(&neighbour), after(0)).await.expect("a stream");
        let mut all = listen(&channel, operator["token"].as_str(), fleet()).await.expect("a stream");

        home.owner.put("/app/devices/clock-01", json!({ "name": "Hall" })).await.expect_status(200);
        assert_eq!(all.told().await.2, json!({ "thing": "clock-01" }));

        // What each hears first is what came later, and is theirs.
        let lamp = json!({
            "name": "lamp", "chip": "esp32c3", "flash_bytes": 4 << 20,
            "root": app.keys().root_base64(), "download": "device",
        });
        foreign.post("/api/v1/products", lamp).await.expect_status(201);
        let lamp = json!({ "thing": "lamp-01", "product": "lamp" });
        foreign.post("/api/v1/devices", lamp).await.expect_status(201);
        let wish = json!({ "color": "blue" });
        foreign.put("/api/v1/devices/lamp-01/settings", wish).await.expect_status(204);
        assert_eq!(theirs.told().await.2["thing"], "lamp-01");
        app.add_device("clock-02", "clock").await;
        app.claim(&app.bearer(&neighbour), "clock-02").await;
        assert_eq!(own.told().await.2["thing"], "clock-02");
    }
}
