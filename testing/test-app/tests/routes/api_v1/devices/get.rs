use expect_test::expect;
use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_device_shows_what_it_reported(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let silent = app.admin().get("/api/v1/devices/clock-01").await.expect_status(200);
        expect![[r#"
            200 OK
            {"thing":"clock-01","product":"clock","online":false,"last_seen_at":null,"owner":null,"running":null}"#]]
        .assert_eq(&silent.to_string());

        let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.4" } } } });
        device.post("/things/clock-01/shadow", report).await.expect_status(200);

        let shown = app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(shown["running"]["version"], "1.0.4");
    }

    async fn an_unknown_device_is_404(app: TestApp) {
        let answer = app.admin().get("/api/v1/devices/clock-01").await;
        assert_eq!(answer.refusal(), "404 device_unknown");
    }

    async fn devices_are_listed_by_name(app: TestApp) {
        app.create_product("clock", "device").await;
        for thing in ["clock-02", "clock-01"] {
            app.add_device(thing, "clock").await;
        }
        let page = app.operator().await.get("/api/v1/devices?limit=1").await.json();
        assert_eq!(page["items"][0]["thing"], "clock-01");
        assert_eq!(page["next_cursor"], "clock-01");
    }
}
