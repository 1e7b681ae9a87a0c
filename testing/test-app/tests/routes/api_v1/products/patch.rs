use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_limit_changes_alone(app: TestApp) {
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        let path = "/api/v1/products/clock";
        let before = operator.get(path).await.json()["limits"].clone();
        let changed = operator.patch(path, json!({ "limits": { "testing_ms": 5_000 } })).await;
        let after = changed.expect_status(200).json()["limits"].clone();
        assert_eq!(after["testing_ms"], 5_000);
        assert_eq!(after["restarting_ms"], before["restarting_ms"]);
    }

    async fn a_limit_that_is_none_changes_nothing(app: TestApp) {
        app.create_product("clock", "device").await;
        let path = "/api/v1/products/clock";
        let before = app.admin().get(path).await.json();
        for limits in [json!({ "testing_ms": 0 }), json!({ "patience_ms": 9_000 })] {
            let answer = app.admin().patch(path, json!({ "limits": limits })).await;
            assert_eq!(answer.refusal(), "400 invalid_field");
        }
        assert_eq!(app.admin().get(path).await.json(), before);
    }
}
