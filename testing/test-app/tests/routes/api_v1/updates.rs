use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn updates_are_listed_newest_first_and_by_device(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        for thing in ["clock-01", "clock-02"] {
            app.add_device(thing, "clock").await;
            let path = format!("/api/v1/devices/{thing}/update");
            app.admin().post(&path, json!({ "version": "1.0.5" })).await.expect_status(201);
        }
        let all = app.admin().get("/api/v1/updates").await.expect_status(200).json();
        assert_eq!(all["items"].as_array().unwrap().len(), 2);
        let one = app.admin().get("/api/v1/updates?thing=clock-02").await.expect_status(200).json();
        assert_eq!(one["items"].as_array().unwrap().len(), 1);
        assert_eq!(one["items"][0]["thing"], "clock-02");
        let page = app.admin().get("/api/v1/updates?limit=1").await.json();
        let cursor = page["next_cursor"].as_str().expect("another page");
        let next = app.admin().get(&format!("/api/v1/updates?limit=1&cursor={cursor}")).await.json();
        assert_ne!(page["items"][0]["thing"], next["items"][0]["thing"]);
    }

    async fn an_unknown_update_is_404(app: TestApp) {
        assert_eq!(app.admin().get("/api/v1/updates/none").await.refusal(), "404 update_unknown");
    }
}
