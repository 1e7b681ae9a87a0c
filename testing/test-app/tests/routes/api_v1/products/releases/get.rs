use otaru_test_app::each_database;
use serde_json::Value;

each_database! {
    async fn releases_are_listed_newest_first_in_pages(app: TestApp) {
        app.create_product("clock", "device").await;
        for (version, sequence) in [("1.0.4", 1), ("1.0.10", 2), ("1.0.5", 3)] {
            app.publish("clock", version, sequence).await;
        }
        let admin = app.admin();
        let path = "/api/v1/products/clock/releases?limit=2";
        let first = admin.get(path).await.expect_status(200).json();
        let cursor = first["next_cursor"].as_str().expect("another page");
        let second = admin.get(&format!("{path}&cursor={cursor}")).await.expect_status(200).json();
        let version = |page: &Value, index: usize| page["items"][index]["version"].clone();
        assert_eq!([version(&first, 0), version(&first, 1)], ["1.0.5", "1.0.10"]);
        assert_eq!(version(&second, 0), "1.0.4");
        assert_eq!(second["next_cursor"], Value::Null);
    }

    async fn an_unknown_release_is_404(app: TestApp) {
        app.create_product("clock", "device").await;
        let admin = app.admin();
        let answer = admin.get("/api/v1/products/clock/releases/1.0.5").await;
        assert_eq!(answer.refusal(), "404 release_unknown");
        let answer = admin.get("/api/v1/products/none/releases").await;
        assert_eq!(answer.refusal(), "404 product_unknown");
    }
}
