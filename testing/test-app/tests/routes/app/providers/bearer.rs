use std::fs;
use std::sync::Arc;
use std::time::Duration;

use otaru_issuer::{Issuer, Key, forged};
use otaru_operations::RoleMapping;
use otaru_test_app::{Client, TestApp, each_database};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{APP, START_S, browser_of, claims, noted, provide, sign_in, token};

/// Somebody with the token of an app, who has signed up.
async fn signed_up(app: &TestApp, issuer: &Issuer, subject: &str, changes: Value) -> Client {
    let bearer = app.bearer(&token(issuer, subject, changes));
    bearer.post("/app/sign-up/token", json!({})).await.expect_status(200);
    bearer
}

each_database! {
    async fn a_provider_that_is_away_is_logged_when_it_was_asked(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        issuer.set_away(true);
        let log = NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
        let _here = tracing::subscriber::set_default(subscriber.finish());
        for person in ["ada", "bo", "cy"] {
            let answer = app.bearer(&token(&issuer, person, json!({}))).get("/app/user").await;
            assert_eq!(answer.refusal(), "503 provider_unavailable");
        }
        let log = fs::read_to_string(log.path()).unwrap();
        assert_eq!(log.matches("An identity provider cannot be used").count(), 1, "{log}");
    }

    async fn a_token_of_a_provider_is_a_person(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let text = token(&issuer, "ada", json!({}));
        let ada = app.bearer(&text);
        // No request makes anybody but the one that is for it.
        assert_eq!(ada.get("/app/user").await.refusal(), "403 not_signed_up");
        let made = ada.post("/app/sign-up/token", json!({})).await.expect_status(200).json();
        assert_eq!(made["email"], "ada@example.org");
        for _ in 0..3 {
            assert_eq!(ada.get("/app/user").await.expect_status(200).json(), made);
        }
        let again = ada.post("/app/sign-up/token", json!({})).await.expect_status(200).json();
        assert_eq!(again["id"], made["id"]);
        assert_eq!(ada.get("/api/v1/devices").await.refusal(), "403 forbidden");
        // With a browser it is the same person.
        let browser = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        assert_eq!(browser.get("/app/user").await.json()["id"], made["id"]);
        let noted = noted(&app, &["user", "identity"]).await;
        assert_eq!(noted, ["user.sign_up", "identity.link"]);
    }

    async fn what_does_not_hold_lets_nobody_in(app: TestApp) {
        let mut app = app;
        let other = Issuer::start().await;
        let issuer = provide(&mut app, |_| {}).await;
        signed_up(&app, &issuer, "ada", json!({})).await;
        let header = json!({ "alg": "none", "kid": "first" });
        let mut whole = claims(&issuer, "ada", json!({}));
        whole["aud"] = APP.into();
        let refused = [
            forged(&header, &whole, None),
            forged(&json!({ "alg": "HS256", "kid": "first" }), &whole, Some(&issuer.public_bytes())),
            Key::p256("first").sign(&whole),
            other.sign(&whole),
            token(&issuer, "ada", json!({ "exp": START_S })),
            token(&issuer, "ada", json!({ "nbf": START_S + 120 })),
            issuer.sign(&claims(&issuer, "ada", json!({}))),
            issuer.sign(&claims(&issuer, "ada", json!({ "aud": "another" }))),
        ];
        for text in refused {
            let answer = app.bearer(&text).get("/app/user").await;
            assert_eq!(answer.refusal(), "401 token_refused", "{text}");
        }
        // Nobody configured this one.
        let unknown = app.bearer(&token(&other, "ada", json!({})));
        assert_eq!(unknown.get("/app/user").await.refusal(), "401 unauthenticated");
        for text in ["eyJ..", "eyJhbGciOiJub25lIn0.e30.", "eyJ.eyJ.eyJ"] {
            let answer = app.bearer(text).get("/app/user").await;
            assert_eq!(answer.refusal(), "401 unauthenticated", "{text}");
        }
    }

    async fn a_token_that_was_taken_before_ends_at_its_end(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = signed_up(&app, &issuer, "ada", json!({ "exp": START_S + 60 })).await;
        ada.get("/app/user").await.expect_status(200);
        let mut events = ada.listen("/app/listen").await;
        app.advance(Duration::from_secs(60));
        assert_eq!(ada.get("/app/user").await.refusal(), "401 token_refused");
        events.ended().await;
    }

    async fn standing_holds_from_the_next_request_on(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = signed_up(&app, &issuer, "ada", json!({})).await;
        let user = ada.get("/app/user").await.json();
        let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
        ada.get("/app/user").await.expect_status(200);
        app.admin().put(&path, json!({ "role": "viewer" })).await.expect_status(200);
        ada.get("/api/v1/devices").await.expect_status(200);
        let mut events = ada.listen("/api/v1/listen").await;
        app.admin().put(&path, json!({ "role": "owner" })).await.expect_status(200);
        assert_eq!(ada.get("/api/v1/devices").await.refusal(), "403 forbidden");
        events.ended().await;
        app.admin().delete(&path).await.expect_status(204);
        assert_eq!(ada.get("/app/user").await.refusal(), "403 not_signed_up");
    }

    async fn a_token_makes_no_other(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = signed_up(&app, &issuer, "ada", json!({})).await;
        let wanted = json!({ "user": "ada@example.org" });
        assert_eq!(ada.post("/api/v1/tokens", wanted).await.refusal(), "403 forbidden");
        let link = json!({ "provider": "id" });
        let answer = ada.post("/app/user/identities", link).await;
        assert_eq!(answer.refusal(), "403 session_required");
    }

    async fn nobody_signs_up_where_nobody_may(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| provider.signs_up = false).await;
        let ada = app.bearer(&token(&issuer, "ada", json!({})));
        let answer = ada.post("/app/sign-up/token", json!({})).await;
        assert_eq!(answer.refusal(), "403 not_signed_up");
        assert_eq!(app.admin().post("/app/sign-up/token", json!({})).await.refusal(),
            "401 unauthenticated");
        let answer = app.anonymous().post("/app/sign-up/token", json!({})).await;
        assert_eq!(answer.refusal(), "401 unauthenticated");
    }

    async fn an_older_token_brings_no_role_back(app: TestApp) {
        let mut app = app;
        let roles = vec![("ops".to_owned(), otaru_operations::Role::Operator)];
        let mapping = RoleMapping { claim: "groups".to_owned(), roles };
        let issuer = provide(&mut app, |provider| provider.roles = Some(mapping)).await;
        let older = signed_up(&app, &issuer, "ada", json!({ "groups": ["ops"] })).await;
        older.get("/api/v1/devices").await.expect_status(200);
        app.advance(Duration::from_secs(60));
        let newer = json!({ "groups": [], "iat": START_S + 60 });
        let newer = app.bearer(&token(&issuer, "ada", newer));
        assert_eq!(newer.get("/api/v1/devices").await.refusal(), "403 forbidden");
        assert_eq!(older.get("/api/v1/devices").await.refusal(), "403 forbidden");
        // Another old one, which was never seen.
        let unseen = json!({ "groups": ["ops"], "iat": START_S + 30 });
        let unseen = app.bearer(&token(&issuer, "ada", unseen));
        assert_eq!(unseen.get("/api/v1/devices").await.refusal(), "403 forbidden");
    }
}
