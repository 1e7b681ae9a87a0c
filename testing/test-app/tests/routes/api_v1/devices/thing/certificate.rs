use otaru_test_app::each_database;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/devices/clock-01/certificate";
const SHADOW: &str = "/things/clock-01/shadow";

fn report() -> Value {
    json!({ "state": { "reported": { "on": true } } })
}

each_database! {
    async fn a_new_certificate_takes_the_place_of_the_old_one(app: TestApp) {
        app.create_product("clock", "device").await;
        let old = app.provision("clock-01", "clock").await;
        let mut session = old.connect().await;

        let files = app.operator().await.post(PATH, json!({})).await.expect_status(201).json();

        session.closed().await;
        assert_eq!(old.https.post(SHADOW, report()).await.status(), 401);
        let new = app.device_of(&files);
        assert_ne!(new.serial, old.serial);
        new.https.post(SHADOW, report()).await.expect_status(200);
        new.connect().await.report(json!({ "on": false })).await;
        assert_eq!(files["device"]["product"], "clock");
        assert!(files["device_toml"].as_str().unwrap().contains("thing = \"clock-01\""));
        assert!(!files["root_pub"].as_str().unwrap().is_empty());
    }

    async fn a_revoked_device_comes_back_with_a_new_certificate(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        operator.post("/api/v1/devices/clock-01/revoke", json!({})).await.expect_status(204);
        let files = operator.post(PATH, json!({})).await.expect_status(201).json();
        app.device_of(&files).https.post(SHADOW, report()).await.expect_status(200);
    }

    async fn only_an_operator_renews_and_only_what_is_registered(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        for refused in [owner, app.publisher().await] {
            assert_eq!(refused.post(PATH, json!({})).await.refusal(), "403 forbidden");
        }
        let unknown = "/api/v1/devices/clock-02/certificate";
        assert_eq!(app.admin().post(unknown, json!({})).await.refusal(), "404 device_unknown");
        // The certificate it has still works.
        device.post(SHADOW, report()).await.expect_status(200);
    }
}
