use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_yanked_release_is_neither_installed_nor_downloaded(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let path = "/api/v1/products/clock/releases/1.0.5/yank";
        assert_eq!(app.operator().await.post(path, json!({})).await.refusal(), "403 forbidden");

        let yanked = app.admin().post(path, json!({})).await.expect_status(200).json();
        assert_eq!(yanked["yanked"], true);
        app.admin().post(path, json!({})).await.expect_status(200);

        let install = json!({ "version": "1.0.5" });
        let install = app.admin().post("/api/v1/devices/clock-01/update", install).await;
        assert_eq!(install.refusal(), "409 release_yanked");
        for file in ["1.0.5.bin", "1.0.5.manifest"] {
            let answer = device.get(&format!("/firmware/clock/{file}")).await;
            assert_eq!(answer.refusal(), "410 release_yanked");
        }
    }

    async fn yanking_cancels_an_update_nobody_was_told_of(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let install = json!({ "version": "1.0.5" });
        app.admin().post("/api/v1/devices/clock-01/update", install).await.expect_status(201);

        let path = "/api/v1/products/clock/releases/1.0.5/yank";
        app.admin().post(path, json!({})).await.expect_status(200);

        let update = app.admin().get("/api/v1/devices/clock-01/update").await.json();
        assert_eq!(update["outcome"], "cancelled");
        assert_eq!(update["reason"]["name"], "release_yanked");
    }
}
