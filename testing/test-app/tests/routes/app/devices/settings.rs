use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/app/devices/clock-01/settings";
const SHADOW: &str = "/things/clock-01/shadow";

each_database! {
    async fn a_setting_is_wished_in_the_shadow_and_the_rest_stays(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let backend = json!({ "state": { "desired": { "config": { "volume": 3 }, "other": true } } });
        app.admin().post("/things/clock-01/shadow", backend).await.expect_status(200);

        owner.put(PATH, json!({ "phrase_type": "poetic" })).await.expect_status(200);

        let shadow = device.get("/things/clock-01/shadow").await.json();
        let desired = json!({ "config": { "volume": 3, "phrase_type": "poetic" }, "other": true });
        assert_eq!(shadow["state"]["desired"], desired);
    }

    async fn changes_from_all_sides_at_once_lose_nothing_of_each_other(app: TestApp) {
        const ROUNDS: u32 = 25;
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let admin = app.admin();
        let from_app = async {
            for round in 1..=ROUNDS {
                owner.put(PATH, json!({ "volume": round })).await.expect_status(200);
            }
        };
        let from_operator = async {
            for round in 1..=ROUNDS {
                let path = "/api/v1/devices/clock-01/settings";
                admin.put(path, json!({ "heat_limit": round })).await.expect_status(204);
            }
        };
        // The device guards what it reports with the version it last saw, and tries again.
        let from_device = async {
            let mut conflicts = 0;
            for round in 1..=ROUNDS {
                loop {
                    let shadow = device.get(SHADOW).await;
                    let version = if shadow.status() == 404 { json!(0) } else { shadow.json()["version"].clone() };
                    let config = json!({ "config": { "brightness": round } });
                    let report = json!({ "state": { "reported": config }, "version": version });
                    match device.post(SHADOW, report).await.status() {
                        200 => break,
                        409 => conflicts += 1,
                        other => panic!("{other}"),
                    }
                    assert!(conflicts < 10_000, "never its turn");
                }
            }
        };
        tokio::join!(from_app, from_operator, from_device);

        let shadow = device.get(SHADOW).await.json();
        let config = |section: &str| shadow["state"][section]["config"].clone();
        assert_eq!(config("desired"), json!({ "volume": ROUNDS, "heat_limit": ROUNDS }));
        assert_eq!(config("reported"), json!({ "brightness": ROUNDS }));
        assert_eq!(shadow["version"], 3 * ROUNDS, "each change once");
    }

    async fn the_version_is_no_setting(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let answer = owner.put(PATH, json!({ "firmware_version": "1.0.5" })).await;
        assert_eq!(answer.refusal(), "400 invalid_field");
        assert_eq!(owner.put(PATH, json!(["x"])).await.refusal(), "400 invalid_body");
    }
}

const SCHEMA: &str = "/api/v1/products/clock/settings";

fn schema() -> serde_json::Value {
    json!({ "settings": [
        { "name": "phrase_type", "type": "choice", "label": { "en": "Phrases", "de": "Sprüche" },
          "choices": [{ "value": "classic", "label": "Classic" }, { "value": "poetic", "label": "Poetic" }] },
        { "name": "heat_limit", "type": "integer", "label": "Heat limit", "min": 0, "max": 60, "edit": "operator" },
    ] })
}

each_database! {
    async fn a_described_setting_is_checked_and_shows_its_state(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        app.publisher().await.put(SCHEMA, schema()).await.expect_status(200);
        let set = async |settings: serde_json::Value| {
            owner.put("/app/devices/clock-01/settings", settings).await
        };
        for (settings, refusal) in [
            (json!({ "phrase_type": "rude" }), "400 setting_invalid"),
            (json!({ "phrase_typ": "poetic" }), "400 setting_unknown"),
            (json!({ "heat_limit": 40 }), "403 setting_not_yours"),
            (json!({ "phrase_type": "poetic", "heat_limit": 40 }), "403 setting_not_yours"),
        ] {
            assert_eq!(set(settings).await.refusal(), refusal);
        }
        let state = async || {
            let own = owner.clone().with_header("accept-language", "de").get("/app/devices/clock-01").await.json();
            let setting = &own["settings"][0];
            format!("{} {} {} {}", setting["label"], setting["value"], setting["wished"], setting["state"])
        };
        assert_eq!(state().await, r#""Sprüche" null null "unset""#);
        set(json!({ "phrase_type": "poetic" })).await.expect_status(200);
        assert_eq!(state().await, r#""Sprüche" null "poetic" "waiting""#);

        let mut events = owner.listen("/app/listen").await;
        let report = json!({ "state": { "reported": { "config": { "phrase_type": "poetic" } } } });
        device.post("/things/clock-01/shadow", report).await.expect_status(200);
        assert_eq!(events.next().await.kind, "device_changed");
        assert_eq!(state().await, r#""Sprüche" "poetic" "poetic" "applied""#);

        let operator = app.operator().await;
        let heat = json!({ "heat_limit": 40 });
        operator.put("/api/v1/devices/clock-01/settings", heat).await.expect_status(204);
        let wrong = operator.put("/api/v1/devices/clock-01/settings", json!({ "heat_limit": 90 })).await;
        assert_eq!(wrong.refusal(), "400 setting_invalid");
        let desired = device.get("/things/clock-01/shadow").await.json()["state"]["desired"].clone();
        assert_eq!(desired["config"], json!({ "phrase_type": "poetic", "heat_limit": 40 }));
    }

    async fn a_description_that_makes_no_sense_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let publisher = app.publisher().await;
        for wrong in [
            json!({ "settings": [{ "name": "firmware_version", "type": "text", "label": "x" }] }),
            json!({ "settings": [{ "name": "a", "type": "choice", "label": "x" }] }),
        ] {
            assert_eq!(publisher.put(SCHEMA, wrong).await.refusal(), "400 invalid_field");
        }
        let shape = publisher.put(SCHEMA, json!({ "settings": [{ "name": "a" }] })).await;
        assert_eq!(shape.refusal(), "400 invalid_body");
        let operator = app.operator().await.put(SCHEMA, schema()).await;
        assert_eq!(operator.refusal(), "403 forbidden");
    }
}
