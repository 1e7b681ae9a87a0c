use std::time::Duration;

use otaru_test_app::each_database;
use serde_json::{Value, json};

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

    async fn a_person_makes_tokens_for_themselves_when_signed_in(app: TestApp) {
        let browser = app.person("ada@x.org", "publisher").await;
        let wanted = json!({ "user": "ada@x.org", "label": "laptop", "role": "viewer" });
        let made = browser.post("/api/v1/tokens", wanted.clone()).await.expect_status(201).json();
        assert_eq!((&made["label"], &made["role"]), (&json!("laptop"), &json!("viewer")));
        let token = app.bearer(made["token"].as_str().unwrap());
        // A token makes none: it would live on in it.
        assert_eq!(token.post("/api/v1/tokens", wanted).await.refusal(), "403 forbidden");
        app.owner("bo@x.org").await;
        for wanted in [json!({ "user": "bo@x.org" }), json!({ "user": "who@x.org" }), json!({})] {
            let answer = browser.post("/api/v1/tokens", wanted).await;
            assert_eq!(answer.refusal(), "403 forbidden");
        }
        // Any token ends itself, and no other.
        let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(browser.delete(&path).await.refusal(), "403 forbidden");
        token.delete(&path).await.expect_status(204);
        assert_eq!(token.get("/api/v1/whoami").await.refusal(), "401 unauthenticated");
    }

    async fn a_token_is_within_the_role_of_its_person(app: TestApp) {
        app.person("ada@x.org", "operator").await;
        let make = async |wanted| app.admin().post("/api/v1/tokens", wanted).await;
        for role in ["publisher", "admin"] {
            let answer = make(json!({ "user": "ada@x.org", "role": role })).await;
            assert_eq!(answer.refusal(), "400 invalid_field", "{role}");
        }
        // For nobody it would allow nothing.
        assert_eq!(make(json!({ "role": "owner" })).await.refusal(), "400 invalid_field");
        let phone = make(json!({ "user": "ada@x.org", "role": "owner" })).await.expect_status(201);
        let phone = app.bearer(phone.json()["token"].as_str().unwrap());
        assert_eq!(phone.get("/api/v1/devices").await.refusal(), "403 forbidden");
        phone.get("/app/devices").await.expect_status(200);
    }

    async fn what_a_token_cannot_be_is_refused(app: TestApp) {
        for wrong in [
            json!({ "label": "" }),
            json!({ "label": "a\nb" }),
            json!({ "label": "x".repeat(65) }),
            json!({ "expires_at": "2026-11-23T12:00:00Z" }),
        ] {
            let answer = app.admin().post("/api/v1/tokens", wrong.clone()).await;
            assert_eq!(answer.refusal(), "400 invalid_field", "{wrong}");
        }
    }

    async fn a_list_says_when_a_token_was_last_used(app: TestApp) {
        let used = async || {
            let listed = app.admin().get("/api/v1/tokens").await.expect_status(200).json();
            listed["items"][0]["last_used_at"].clone()
        };
        let user = json!({ "email": "a@x.org", "role": "viewer" });
        // Its first use was noted before this was stored: there is one writer.
        app.admin().post("/api/v1/users", user).await.expect_status(201);
        assert_eq!(used().await, "2026-11-23T12:00:00.000Z");
        app.advance(Duration::from_secs(299));
        let user = json!({ "email": "b@x.org", "role": "viewer" });
        app.admin().post("/api/v1/users", user).await.expect_status(201);
        assert_eq!(used().await, "2026-11-23T12:00:00.000Z", "not at every use");
        app.advance(Duration::from_secs(1));
        let user = json!({ "email": "c@x.org", "role": "viewer" });
        app.admin().post("/api/v1/users", user).await.expect_status(201);
        assert_eq!(used().await, "2026-11-23T12:05:00.000Z");
    }

    async fn tokens_for_no_person_are_so_many_and_no_more(app: TestApp) {
        let mut app = app;
        app.set_shared_tokens(3);
        app.restart().await;
        app.owner("ada@x.org").await;
        // That of the first start is the first; those of people are not counted.
        let make = async |wanted: Value| app.admin().post("/api/v1/tokens", wanted).await;
        let (token, key) = (json!({ "role": "viewer" }), json!({ "role": "viewer", "aws": true }));
        let made = make(token.clone()).await.expect_status(201).json();
        make(key.clone()).await.expect_status(201);
        for more in [&token, &key] {
            assert_eq!(make(more.clone()).await.refusal(), "409 too_many_tokens");
        }
        make(json!({ "user": "ada@x.org" })).await.expect_status(201);
        let spare = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
        app.admin().delete(&spare).await.expect_status(204);
        make(key).await.expect_status(201);
        // Another organisation has its own.
        let foreign = app.foreign_admin().await;
        foreign.post("/api/v1/tokens", token).await.expect_status(201);
    }
}
