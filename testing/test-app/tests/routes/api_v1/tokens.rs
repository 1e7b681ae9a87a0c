use std::time::Duration;

use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_revoked_token_stops_working(app: TestApp) {
        let made = app.admin().post("/api/v1/tokens", json!({ "role": "viewer" })).await;
        let made = made.expect_status(201).json();
        let viewer = app.bearer(made["token"].as_str().unwrap());
        assert_eq!(viewer.get("/api/v1/whoami").await.status(), 200);

        let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(app.admin().delete(&path).await.status(), 204);

        assert_eq!(viewer.get("/api/v1/whoami").await.refusal(), "401 unauthenticated");
        assert_eq!(app.admin().delete("/api/v1/tokens/none").await.refusal(), "404 token_unknown");
    }

    async fn a_token_expires_when_it_says(app: TestApp) {
        let wanted = json!({ "role": "viewer", "expires_at": "2026-11-23T13:00:00Z" });
        let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
        let viewer = app.bearer(made["token"].as_str().unwrap());
        app.advance(Duration::from_secs(3_599));
        assert_eq!(viewer.get("/api/v1/whoami").await.status(), 200);
        app.advance(Duration::from_secs(1));
        assert_eq!(viewer.get("/api/v1/whoami").await.refusal(), "401 unauthenticated");
    }

    async fn a_list_never_shows_the_secret(app: TestApp) {
        let made = app.admin().post("/api/v1/tokens", json!({ "role": "viewer" })).await.json();
        let secret = made["token"].as_str().unwrap().rsplit_once('_').unwrap().1;
        let listed = app.admin().get("/api/v1/tokens").await.expect_status(200);
        assert!(!listed.to_string().contains(secret));
        assert_eq!(listed.json()["items"].as_array().unwrap().len(), 2);
    }

    async fn a_token_for_nobody_known_is_refused(app: TestApp) {
        let answer = app.admin().post("/api/v1/tokens", json!({ "user": "who@example.org" })).await;
        assert_eq!(answer.refusal(), "404 user_unknown");
        let answer = app.publisher().await.post("/api/v1/tokens", json!({})).await;
        assert_eq!(answer.refusal(), "403 forbidden");
    }
}
