use otaru_test_app::each_database;
use serde_json::{Value, json};

each_database! {
    async fn an_owner_sees_their_devices_and_what_can_be_installed(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        app.add_device("clock-02", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.4" } } } });
        device.post("/things/clock-01/shadow", report).await.expect_status(200);
        let up_to_date = owner.get("/app/devices").await.expect_status(200).json();
        assert_eq!(up_to_date["items"].as_array().unwrap().len(), 1);
        assert_eq!(up_to_date["items"][0]["available"], Value::Null);

        app.publish("clock", "1.0.5", 2).await;

        let shown = owner.get("/app/devices/clock-01").await.expect_status(200).json();
        assert_eq!(
            shown["available"],
            json!({
                "version": "1.0.5", "notes": "Better in every way", "size": 100_000,
                "published_at": "2026-11-23T12:00:00.000Z", "expected_s": 62, "decision": "ask",
                "deadline_at": null, "safety_reason": null, "failed_before": false,
            })
        );
    }

    async fn somebody_else_s_device_does_not_exist(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let (ada, bo) = (app.owner("ada@example.org").await, app.owner("bo@example.org").await);
        app.claim(&ada, "clock-01").await;
        assert_eq!(bo.get("/app/devices").await.json()["items"], json!([]));
        let path = "/app/devices/clock-01";
        assert_eq!(bo.get(path).await.refusal(), "404 device_unknown");
        assert_eq!(bo.put(path, json!({ "name": "Mine" })).await.refusal(), "404 device_unknown");
        for rest in ["update", "settings"] {
            let answer = match rest {
                "update" => bo.get(&format!("{path}/update")).await,
                _ => bo.put(&format!("{path}/settings"), json!({ "phrase_type": "x" })).await,
            };
            assert_eq!(answer.refusal(), "404 device_unknown", "{rest}");
        }
    }
}
