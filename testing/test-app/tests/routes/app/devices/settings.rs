use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/app/devices/clock-01/settings";

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
