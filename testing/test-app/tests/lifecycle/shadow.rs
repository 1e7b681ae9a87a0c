//! Shadows over MQTT, as clients of AWS IoT use them.

use otaru_store::{Scope, StoreError, SystemScope, Tx};
use otaru_test_app::each_database;
use otaru_wire::{OrganisationId, ShadowId, ThingName};
use serde_json::{Value, json};

use super::home::{Home, SHADOW};

const TOPICS: &str = "$aws/things/clock-01/shadow/";

each_database! {
    async fn labels_with_control_characters_are_no_labels(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let mut reported = home.runs_new("confirmed");
        reported["firmware"]["version"] = json!("1.0.5\0");
        reported["firmware"]["slot"] = json!("ota\u{1b}[0m");
        reported["config"]["firmware_version"] = json!("1.0.5\0");
        agent.report(reported).await;
        let running = home.app.admin().get("/api/v1/devices/clock-01").await.json()["running"].clone();
        assert_eq!(running["sha256"], json!(home.new.sha256()));
        assert_eq!((&running["version"], &running["slot"]), (&Value::Null, &Value::Null));

        agent.report(json!({ "firmware": null, "config": { "firmware_version": "\0" } })).await;
        let running = home.app.admin().get("/api/v1/devices/clock-01").await.json()["running"].clone();
        assert_eq!(running["version"], Value::Null);
    }

    async fn a_shadow_is_written_read_and_deleted_classic_and_named(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        for (prefix, id) in [
            (TOPICS.to_owned(), "clock-01"),
            (format!("{TOPICS}name/cfg/"), "clock-01~cfg"),
        ] {
            let (answer, missing) = device.ask_of(&prefix, "get", json!({})).await;
            assert_eq!(answer, "get/rejected");
            assert_eq!(missing["code"], 404);
            assert_eq!(missing["message"], format!("No shadow exists with name: '{id}'"));

            let state = json!({ "reported": { "on": false }, "desired": { "on": true } });
            let (answer, accepted) = device.ask_of(&prefix, "update", json!({ "state": state })).await;
            assert_eq!(answer, "update/accepted");
            assert_eq!((&accepted["version"], &accepted["state"]), (&json!(1), &state));
            // Both were sent before the answer.
            let delta = device.hear_on(&format!("{prefix}update/delta")).await;
            assert_eq!((&delta["version"], &delta["state"]), (&json!(1), &json!({ "on": true })));
            assert_eq!(delta["clientToken"], accepted["clientToken"]);
            let documents = device.hear_on(&format!("{prefix}update/documents")).await;
            assert_eq!(documents["previous"], Value::Null);
            assert_eq!(documents["current"]["state"], state);
            assert_eq!(documents["current"]["version"], 1);

            let (answer, got) = device.ask_of(&prefix, "get", json!({})).await;
            assert_eq!(answer, "get/accepted");
            assert_eq!((&got["version"], &got["state"]["delta"]), (&json!(1), &json!({ "on": true })));

            let (answer, deleted) = device.ask_of(&prefix, "delete", json!({})).await;
            assert_eq!((answer.as_str(), &deleted["version"]), ("delete/accepted", &json!(1)));
            assert_eq!(deleted.get("state"), None);
            assert_eq!(device.ask_of(&prefix, "delete", json!({})).await.0, "delete/rejected");
            let state = json!({ "reported": { "new": 1 } });
            let (_, again) = device.ask_of(&prefix, "update", json!({ "state": state })).await;
            assert_eq!(again["version"], 3);
        }
    }

    async fn a_refused_update_is_answered_once_and_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        device.report(json!({ "on": true })).await;
        let before = home.app.admin().get(SHADOW).await.json()["version"].clone();
        device.unasked();

        let conflict = json!({ "state": { "reported": { "on": false } }, "version": 7 });
        let (answer, rejected) = device.ask("update", conflict).await;
        assert_eq!(answer, "update/rejected");
        assert_eq!((&rejected["code"], &rejected["message"]), (&json!(409), &json!("Version conflict")));
        let (_, rejected) = device.ask("update", json!({ "states": {} })).await;
        assert_eq!(rejected["message"], "Missing required node: state");
        let too_long = json!({ "state": { "reported": { "x": "y".repeat(9_000) } } });
        let (_, rejected) = device.ask("update", too_long).await;
        assert_eq!(rejected["code"], 413);
        for (text, message) in [
            ("{", "Invalid JSON"),
            ("", "Invalid JSON"),
            (r#"{"state":{"reported":1},"clientToken":7}"#, "Invalid clientToken"),
        ] {
            assert!(device.publish(&format!("{TOPICS}update"), text).await);
            let rejected = device.hear("update/rejected").await;
            assert_eq!((&rejected["code"], &rejected["message"]), (&json!(400), &json!(message)));
            assert_eq!(rejected.get("clientToken"), None);
        }

        let (_, got) = device.ask("get", json!({})).await;
        assert_eq!((&got["version"], &got["state"]["reported"]), (&before, &json!({ "on": true })));
        assert_eq!(device.unasked(), Vec::<String>::new());
    }

    async fn a_guarded_update_wins_once(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        let version = device.report(json!({ "n": 0 })).await["version"].clone();
        let update = |n: u32| json!({ "state": { "reported": { "n": n } }, "version": version });
        assert_eq!(device.ask("update", update(1)).await.0, "update/accepted");
        assert_eq!(device.ask("update", update(2)).await.0, "update/rejected");
        assert_eq!(home.shadow().await["reported"]["n"], 1);
    }

    async fn a_device_touches_its_own_topics_only(app: TestApp) {
        let home = Home::new(app).await;
        let other = home.app.provision("clock-02", "clock").await;
        let mut other = other.connect().await;
        let mut device = home.device.connect().await;
        for filter in [
            "$aws/things/clock-02/shadow/#",
            "$aws/things/+/shadow/update/delta",
            "mia/things/clock-02/logs",
            "$aws/events/presence/connected/#",
        ] {
            assert!(!device.try_subscribe(filter).await, "{filter}");
        }
        other.report(json!({ "on": true })).await;
        for topic in [
            "$aws/things/clock-02/shadow/update",
            "$aws/things/clock-02/shadow/name/cfg/update",
            "mia/things/clock-02/update/progress",
            "$aws/things/clock-01/shadow/update/accepted",
        ] {
            let forged = r#"{"state":{"reported":{"on":false}}}"#;
            assert!(!device.publish(topic, forged).await, "{topic}");
        }
        assert_eq!(other.ask("get", json!({})).await.1["version"], 1);
        other.unasked();
        home.device.connect().await.report(json!({ "on": true })).await;
        other.ask("get", json!({})).await;
        assert_eq!(other.unasked(), Vec::<String>::new());
    }

    async fn an_open_delta_is_sent_again_to_the_device_alone(app: TestApp) {
        let home = Home::new(app).await;
        let mut backend = home.app.backend("backend-1").await;
        backend.subscribe(&format!("{TOPICS}update/delta")).await;
        home.device.connect().await.disconnect().await;
        let wish = json!({ "state": { "desired": { "on": true } }, "clientToken": "mine" });
        home.app.admin().post(SHADOW, wish).await.expect_status(200);
        let told = backend.hear_on(&format!("{TOPICS}update/delta")).await;
        assert_eq!(told["clientToken"], "mine");

        for _ in 0..2 {
            let mut device = home.device.connect().await;
            let again = device.hear("update/delta").await;
            assert_eq!((&again["state"], &again["version"]), (&told["state"], &told["version"]));
            assert_eq!(again.get("clientToken"), None);
            // Once per session, whatever it subscribes to.
            device.subscribe(&format!("{TOPICS}update/delta")).await;
            assert_eq!(device.heard_until_now("update/delta").await, Vec::<Value>::new());
            device.disconnect().await;
        }
        backend.subscribe(&format!("{TOPICS}update/delta")).await;
        backend.subscribe(&format!("{TOPICS}get/accepted")).await;
        assert!(backend.publish(&format!("{TOPICS}get"), "").await);
        backend.hear_on(&format!("{TOPICS}get/accepted")).await;
        assert_eq!(backend.unasked(), Vec::<String>::new());

        let mut device = home.device.connect().await;
        device.hear("update/delta").await;
        device.report(json!({ "on": true })).await;
        device.disconnect().await;
        let mut device = home.device.connect().await;
        assert_eq!(device.heard_until_now("update/delta").await, Vec::<Value>::new());
    }

    async fn what_http_changes_is_heard_over_mqtt(app: TestApp) {
        let home = Home::new(app).await;
        let mut device = home.device.connect().await;
        let wish = json!({ "state": { "desired": { "on": true } }, "clientToken": "http" });
        let answer = home.app.admin().post(SHADOW, wish).await.expect_status(200).json();
        assert_eq!(device.hear("update/accepted").await, answer);
        assert_eq!(device.hear("update/delta").await["version"], answer["version"]);
        assert_eq!(device.hear("update/documents").await["current"]["version"], answer["version"]);
        home.app.admin().delete(SHADOW).await.expect_status(200);
        assert_eq!(device.hear("delete/accepted").await["version"], answer["version"]);

        // Neither reading nor failing makes a sound.
        home.app.admin().get(SHADOW).await.expect_status(404);
        home.app.admin().delete(SHADOW).await.expect_status(404);
        home.app.admin().post_text(SHADOW, "{").await.expect_status(400);
        device.ask("get", json!({})).await;
        assert_eq!(device.unasked(), Vec::<String>::new());
    }

    async fn names_that_are_not_registered_have_shadows(app: TestApp) {
        let home = Home::new(app).await;
        let mut backend = home.app.backend("backend-1").await;
        backend.subscribe("$aws/things/lamp-01/shadow/#").await;
        let prefix = "$aws/things/lamp-01/shadow/";
        let wish = json!({ "state": { "desired": { "config": { "firmware_version": "1.0.5" } } } });
        let (answer, _) = backend.ask_of(prefix, "update", wish).await;
        assert_eq!(answer, "update/accepted");

        // Registered later, the device finds it.
        let device = home.app.provision("lamp-01", "clock").await;
        let mut device = device.connect().await;
        assert_eq!(device.hear("update/delta").await["version"], 1);
    }

    async fn a_name_whose_shadow_is_another_organisation_s_is_taken(app: TestApp) {
        let home = Home::new(app).await;
        home.app.store.write(foreign_shadow).await.unwrap();
        let admin = home.app.admin();
        let device = json!({ "thing": "radio-01", "product": "clock" });
        let before = home.everything().await;
        assert_eq!(admin.post("/api/v1/devices", device).await.refusal(), "409 thing_name_taken");
        let refused = admin.get("/things/radio-01/shadow").await;
        assert_eq!(refused.header("x-amzn-errortype"), "ForbiddenException");
        let mut backend = home.app.backend("backend-1").await;
        let prefix = "$aws/things/radio-01/shadow/";
        backend.subscribe("$aws/things/radio-01/shadow/#").await;
        let wish = json!({ "state": { "desired": { "on": true } } });
        let (answer, rejected) = backend.ask_of(prefix, "update", wish).await;
        assert_eq!((answer.as_str(), &rejected["code"]), ("update/rejected", &json!(403)));
        assert_eq!(home.everything().await, before);
    }

    async fn a_backend_hears_presence_and_makes_nobody_online(app: TestApp) {
        let home = Home::new(app).await;
        let mut backend = home.app.backend("backend-1").await;
        backend.subscribe("$aws/events/presence/+/clock-01").await;
        let device = home.device.connect().await;
        let came = backend.hear_on("$aws/events/presence/connected/clock-01").await;
        assert_eq!(came["eventType"], "connected");
        device.disconnect().await;
        let went = backend.hear_on("$aws/events/presence/disconnected/clock-01").await;
        assert_eq!(went["clientInitiatedDisconnect"], true);
        for same in ["sessionIdentifier", "versionNumber"] {
            assert_eq!(came[same], went[same]);
        }
        let _impostor = home.app.backend("clock-01").await;
        let device = home.app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(device["online"], false);
    }
}

/// The classic shadow of `radio-01`, made by somebody else.
fn foreign_shadow(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let system = SystemScope::for_background();
    let fresh = OrganisationId::new("elsewhere-1").expect("an id");
    let elsewhere = otaru_store::ensure_organisation(tx, &system, &fresh, "elsewhere", 0)?;
    let shadow = ShadowId::classic(ThingName::new("radio-01").expect("a name"));
    let request = otaru_shadow::UpdateRequest::from_state(
        json!({ "reported": { "on": true } }),
        &otaru_shadow::Rules::default(),
    );
    let document = otaru_shadow::Document::apply(
        None,
        &request.expect("a small state"),
        0,
        &otaru_shadow::Rules::default(),
    );
    let document = document.expect("a first state");
    otaru_store::put_shadow(tx, &Scope::of(elsewhere), &shadow, &document, 0)
}
