use axum::body::Body;
use axum::http::Method;
use expect_test::expect;
use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn an_unknown_path_is_a_problem(app: TestApp) {
        let answer = app.anonymous().get("/api/v1/nothing?token=secret").await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        expect![[r#"
            404 Not Found
            {"title":"Not Found","status":404,"code":"route_unknown","detail":"there is no route /api/v1/nothing"}"#]]
        .assert_eq(&answer.to_string());
    }

    async fn a_method_the_route_does_not_take_is_405_with_allow(app: TestApp) {
        let answer = app.anonymous().send(Method::PATCH, "/app/user", Body::empty()).await;
        assert_eq!(answer.refusal(), "405 method_not_allowed");
        assert_eq!(answer.header("allow"), "GET,HEAD,PUT,DELETE");
    }

    async fn every_answer_is_marked_and_cached_by_nobody(app: TestApp) {
        for answer in [app.admin().get("/api/v1/whoami").await, app.anonymous().get("/api/x").await] {
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("x-request-id").len(), 36);
        }
    }

    async fn a_missing_or_mistyped_token_is_401(app: TestApp) {
        let missing = app.anonymous().get("/api/v1/whoami").await;
        assert_eq!(missing.refusal(), "401 unauthenticated");
        assert_eq!(missing.header("www-authenticate"), "Bearer");
        let wrong = app.bearer("otaru_nobody_knows").get("/api/v1/whoami").await;
        assert_eq!(wrong.refusal(), "401 unauthenticated");
    }

    async fn broken_json_changes_nothing(app: TestApp) {
        let broken = app.admin().post_text("/api/v1/users", r#"{"email":"#).await;
        assert_eq!(broken.refusal(), "400 invalid_json");
        let unknown = json!({ "email": "ada@example.org", "role": "owner", "age": 36 });
        let unknown = app.admin().post("/api/v1/users", unknown).await;
        assert_eq!(unknown.refusal(), "400 invalid_body");
        let users = app.admin().get("/api/v1/users").await.json();
        assert_eq!(users["items"], json!([]));
    }

    async fn a_body_over_the_limit_is_413(app: TestApp) {
        let long = "x".repeat(300 * 1024);
        let answer = app.admin().post("/api/v1/users", json!({ "email": long, "role": "owner" })).await;
        assert_eq!(answer.refusal(), "413 body_too_large");
        assert_eq!(answer.json()["expected"], "at most 262144 bytes");
    }

    async fn a_body_over_the_limit_of_its_route_is_told_that_one(app: TestApp) {
        let long = json!({ "thing_name": "x".repeat(7_300_000) });
        let answer = app.admin().post("/api/v1/provisioning/templates", long).await;
        assert_eq!(answer.refusal(), "413 body_too_large");
        assert_eq!(answer.json()["expected"], "at most 7262144 bytes");
    }

    async fn values_in_path_and_query_are_checked(app: TestApp) {
        let path = app.admin().get("/api/v1/devices/clock%2F01").await;
        assert_eq!(path.refusal(), "400 invalid_path");
        let query = app.admin().get("/api/v1/devices?limit=many").await;
        assert_eq!(query.refusal(), "400 invalid_query");
        let limit = app.admin().get("/api/v1/devices?limit=0").await;
        assert_eq!(limit.refusal(), "400 invalid_field");
        let cursor = app.admin().get("/api/v1/devices/x/logs?cursor=there").await;
        assert_eq!(cursor.refusal(), "400 invalid_cursor");
    }

    async fn a_nul_from_outside_is_the_callers_mistake(app: TestApp) {
        let admin = app.admin();
        assert_eq!(admin.delete("/api/v1/tokens/%00").await.refusal(), "400 invalid_text");
        let token = admin.post("/api/v1/tokens", json!({ "user": "a\0@b" })).await;
        assert_eq!(token.refusal(), "400 invalid_text");
        for list in ["updates", "devices", "tokens", "users", "products"] {
            let answer = admin.get(&format!("/api/v1/{list}?cursor=%00")).await;
            assert_eq!(answer.refusal(), "400 invalid_cursor", "{list}");
        }
        let user = json!({ "email": "a\0@b", "role": "owner" });
        assert_eq!(admin.post("/api/v1/users", user).await.refusal(), "400 invalid_field");
    }

    async fn the_devices_port_has_no_routes_for_people(app: TestApp) {
        for path in ["/api/v1/whoami", "/app/user", "/openapi.json"] {
            assert_eq!(app.stranger().get(path).await.refusal(), "404 route_unknown", "{path}");
        }
    }
}
