use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/api/v1/devices/clock-01/update";

each_database! {
    async fn an_operator_moves_any_device(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        assert_eq!(operator.get(PATH).await.refusal(), "404 update_unknown");

        let started = operator.post(PATH, json!({ "version": "1.0.5" })).await.expect_status(201).json();

        assert_eq!(started["phase"], "requested");
        assert_eq!(operator.get(PATH).await.expect_status(200).json(), started);
        let by_id = format!("/api/v1/updates/{}", started["id"].as_str().unwrap());
        assert_eq!(operator.get(&by_id).await.expect_status(200).json(), started);
    }

    async fn a_publisher_moves_none(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let answer = app.publisher().await.post(PATH, json!({ "version": "1.0.5" })).await;
        assert_eq!(answer.refusal(), "403 forbidden");
        assert_eq!(app.admin().get(PATH).await.refusal(), "404 update_unknown");
        assert_eq!(app.admin().get("/things/clock-01/shadow").await.status(), 404);
    }
}
