//! A device that changes hands: the new owner meets the device, and nothing of the old one.

use otaru_test_app::{Client, Event, Events, MqttSession, TestApp, each_database};
use serde_json::{Value, json};

use super::home::{Home, MINUTE, SECOND, UPDATE, progress, runs, said, version};

const DEVICE: &str = "/app/devices/clock-01";
const UPDATES: &str = "/app/devices/clock-01/updates";

async fn bo(app: &TestApp) -> Client {
    app.owner("bo@example.org").await
}

/// Ada gives the clock up, and Bo claims it.
async fn hand_over(home: &Home, bo: &Client) {
    home.app.advance(MINUTE);
    home.owner.delete(DEVICE).await.expect_status(204);
    home.app.advance(MINUTE);
    home.app.claim(bo, "clock-01").await;
}

/// The newest update as who runs the fleet knows it.
async fn known(home: &Home) -> Value {
    home.app.admin().get("/api/v1/updates").await.expect_status(200).json()["items"][0].clone()
}

/// An update that nobody can stop any more.
async fn restarting(home: &Home) -> (MqttSession, Value) {
    let mut agent = home.agent().await;
    let update = home.install_told(&mut agent).await;
    agent.progress(progress("restarting", 0)).await;
    home.until_phase("restarting").await;
    (agent, update)
}

/// What the person hears until another device becomes theirs.
async fn heard(app: &TestApp, person: &Client, events: &mut Events) -> Vec<Event> {
    app.add_device("clock-02", "clock").await;
    app.claim(person, "clock-02").await;
    let mut heard = Vec::new();
    loop {
        let event = events.next().await;
        if event.body["thing"] == "clock-02" {
            return heard;
        }
        heard.push(event);
    }
}

fn settings() -> Value {
    json!({ "settings": [{ "name": "phrase_type", "type": "text", "label": "Phrases" }] })
}

/// A setting of the clock as this person sees it: value, wish and state.
async fn phrase(person: &Client) -> (Value, Value, Value) {
    let setting = person.get(DEVICE).await.expect_status(200).json()["settings"][0].clone();
    (setting["value"].clone(), setting["wished"].clone(), setting["state"].clone())
}

fn phrases(value: &str) -> Value {
    json!({ "config": { "phrase_type": value } })
}

each_database! {
    async fn who_gives_a_device_up_stops_what_they_asked_for(app: TestApp) {
        let home = Home::new(app).await;
        let waiting = home.install("1.0.5").await;
        home.owner.delete(DEVICE).await.expect_status(204);
        let ended = known(&home).await;
        assert_eq!((&ended["id"], said(&ended).as_str()), (&waiting["id"], "requested cancelled(cancelled)"));
        assert_eq!(home.wish().await.0, Value::Null);

        home.app.claim(&home.owner, "clock-01").await;
        let mut agent = home.agent().await;
        home.app.advance(SECOND);
        home.install_told(&mut agent).await;
        home.owner.delete(DEVICE).await.expect_status(204);
        assert_eq!(said(&known(&home).await), "notified open(cancelled) cancelling");
    }

    async fn an_update_of_the_old_owner_is_not_the_new_one_s(app: TestApp) {
        let home = Home::new(app).await;
        let (mut agent, update) = restarting(&home).await;
        let bo = bo(&home.app).await;
        hand_over(&home, &bo).await;
        assert_eq!(said(&known(&home).await), "restarting open");

        assert_eq!(bo.get(DEVICE).await.expect_status(200).json()["update"], Value::Null);
        assert_eq!(bo.get(UPDATE).await.refusal(), "404 update_unknown");
        assert_eq!(bo.delete(UPDATE).await.refusal(), "404 update_unknown");
        assert_eq!(bo.get(UPDATES).await.json()["items"], json!([]));

        let mut events = bo.listen("/app/listen").await;
        agent.progress(progress("testing", 0)).await;
        agent.report(home.runs_new("confirmed")).await;
        let ended = known(&home).await;
        assert_eq!((&ended["id"], said(&ended).as_str()), (&update["id"], "confirmed confirmed"));
        let kinds: Vec<String> = heard(&home.app, &bo, &mut events).await.into_iter().map(|event| event.kind).collect();
        assert!(kinds.iter().all(|kind| kind == "device_changed"), "{kinds:?}");
        assert_eq!(bo.get(DEVICE).await.json()["running"]["version"], "1.0.5");
        assert_eq!(bo.get(UPDATES).await.json()["items"], json!([]));
    }

    async fn a_new_owner_s_wish_is_a_record_of_their_own(app: TestApp) {
        let home = Home::new(app).await;
        let (mut agent, update) = restarting(&home).await;
        let bo = bo(&home.app).await;
        hand_over(&home, &bo).await;
        let mut events = bo.listen("/app/listen").await;

        let own = bo.post(UPDATE, json!({ "version": "1.0.5" })).await.expect_status(201).json();
        assert_ne!(own["id"], update["id"]);
        agent.report(home.runs_new("confirmed")).await;

        assert_eq!(said(&bo.get(UPDATE).await.json()), "confirmed confirmed");
        let all = bo.get(UPDATES).await.json()["items"].clone();
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        for event in heard(&home.app, &bo, &mut events).await {
            let id = &event.body["id"];
            assert!(event.kind == "device_changed" || *id == own["id"], "{} {}", event.kind, event.body);
        }
    }

    async fn what_began_while_nobody_had_the_device_is_its_owner_s(app: TestApp) {
        let home = Home::new(app).await;
        let bo = bo(&home.app).await;
        home.owner.delete(DEVICE).await.expect_status(204);
        home.app.advance(MINUTE);
        let path = "/api/v1/devices/clock-01/update";
        let asked = home.app.operator().await.post(path, json!({ "version": "1.0.5" })).await;
        let asked = asked.expect_status(201).json();
        home.app.advance(MINUTE);
        home.app.claim(&bo, "clock-01").await;

        assert_eq!(bo.get(UPDATE).await.expect_status(200).json()["id"], asked["id"]);
        let same = bo.post(UPDATE, json!({ "version": "1.0.5" })).await.expect_status(200);
        assert_eq!(same.json()["id"], asked["id"]);
        assert_eq!(said(&bo.delete(UPDATE).await.expect_status(200).json()), "requested cancelled(cancelled)");
        // Once it has ended, it is of before.
        assert_eq!(bo.get(UPDATE).await.refusal(), "404 update_unknown");
    }

    async fn settings_of_the_old_owner_are_not_shown(app: TestApp) {
        let home = Home::new(app).await;
        home.app.publisher().await.put("/api/v1/products/clock/settings", settings()).await.expect_status(200);
        let mut agent = home.plain().await;
        home.owner.put("/app/devices/clock-01/settings", json!({ "phrase_type": "tender" })).await.expect_status(200);
        agent.report(phrases("tender")).await;
        assert_eq!(phrase(&home.owner).await, (json!("tender"), json!("tender"), json!("applied")));
        home.leaves(agent).await;
        let bo = bo(&home.app).await;
        hand_over(&home, &bo).await;

        assert_eq!(phrase(&bo).await, (Value::Null, Value::Null, json!("unset")));
        let seen = bo.get(DEVICE).await.json();
        assert_eq!(seen["last_seen_at"], Value::Null);
        assert!(!seen.to_string().contains("tender"), "{seen}");

        // The device's own truth stays, and is shown once it says it to Bo.
        assert_eq!(home.shadow().await["reported"]["config"]["phrase_type"], "tender");
        home.app.advance(SECOND);
        let mut agent = home.device.connect().await;
        agent.report(version("1.0.4")).await;
        assert_eq!(phrase(&bo).await.0, Value::Null);
        agent.report(phrases("curt")).await;
        assert_eq!(phrase(&bo).await, (json!("curt"), Value::Null, json!("applied")));
    }

    async fn a_first_owner_sees_what_the_device_said_before(app: TestApp) {
        let home = Home::new(app).await;
        home.app.publisher().await.put("/api/v1/products/clock/settings", settings()).await.expect_status(200);
        let device = home.app.provision("clock-02", "clock").await;
        device.connect().await.report(phrases("classic")).await;
        home.app.advance(MINUTE);
        home.app.claim(&home.owner, "clock-02").await;
        let own = home.owner.get("/app/devices/clock-02").await.json();
        assert_eq!(own["settings"][0]["value"], "classic");
        assert_ne!(own["last_seen_at"], Value::Null);
    }

    async fn who_was_removed_hears_no_bytes(app: TestApp) {
        let home = Home::new(app).await;
        let bo = bo(&home.app).await;
        let code = home.owner.post("/app/devices/clock-01/share", json!({})).await.json();
        bo.post("/app/devices/claim", json!({ "code": code["code"] })).await.expect_status(200);
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 10)).await;
        home.until_phase("downloading").await;
        let (mut of_ada, mut of_bo) =
            (home.owner.listen("/app/listen").await, bo.listen("/app/listen").await);
        let person = bo.get("/app/user").await.json()["id"].clone();
        let path = format!("/app/devices/clock-01/people/{}", person.as_str().unwrap());
        home.owner.delete(&path).await.expect_status(204);
        for events in [&mut of_ada, &mut of_bo] {
            assert_eq!(events.next().await.kind, "device_changed");
        }

        for done in [20, 30] {
            home.app.advance(SECOND);
            agent.progress(progress("downloading", done)).await;
            while of_ada.next().await.body["done"] != done {}
        }
        home.app.add_device("clock-02", "clock").await;
        home.app.claim(&bo, "clock-02").await;
        assert_eq!(of_bo.next().await.body["thing"], "clock-02");
    }

    async fn who_claims_a_device_hears_its_bytes_at_once(app: TestApp) {
        let home = Home::new(app).await;
        let bo = bo(&home.app).await;
        home.owner.delete(DEVICE).await.expect_status(204);
        home.app.advance(MINUTE);
        let path = "/api/v1/devices/clock-01/update";
        home.app.admin().post(path, json!({ "version": "1.0.5" })).await.expect_status(201);
        let mut agent = home.device.connect().await;
        agent.report(runs(&home.old, "1.0.4", "confirmed", Value::Null)).await;
        agent.progress(progress("downloading", 10)).await;
        agent.ask("get", json!({})).await;
        let mut events = bo.listen("/app/listen").await;
        home.app.claim(&bo, "clock-01").await;
        assert_eq!(events.next().await.kind, "device_changed");
        home.app.advance(SECOND);
        agent.progress(progress("downloading", 20)).await;
        while events.next().await.body["done"] != 20 {}
    }
}
