//! The end of an account, and all that is known of a person.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use otaru_test_app::{Answer, Client, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

use super::providers::{
    Away, START_S, assert_refused, browser_of, let_in, noted, provide, sign_in, token,
};

async fn delete(client: &Client, body: Value) -> Answer {
    client.send(Method::DELETE, "/app/user", Body::from(body.to_string())).await
}

/// Proves anew at the provider who it is; returns the browser's new session.
async fn confirm(
    app: &TestApp,
    issuer: &otaru_issuer::Issuer,
    browser: &Client,
    subject: &str,
) -> Client {
    let body = json!({ "return_to": "/account" });
    let away = Away::by(browser, "/app/providers/id/confirm", body).await;
    assert!(away.url.contains("max_age=0"), "{}", away.url);
    let back = away.back(&let_in(issuer, &away, subject, json!({ "auth_time": START_S }))).await;
    browser_of(app, &back)
}

each_database! {
    async fn a_person_deletes_their_account_with_their_password(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let ada = app.person("ada@x.org", "owner").await;
        app.claim(&ada, "clock-01").await;
        let made = ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await;
        let token = app.bearer(made.expect_status(201).json()["token"].as_str().unwrap());
        let mut events = token.listen("/app/listen").await;
        assert_eq!(delete(&ada, json!({})).await.refusal(), "403 proof_needed");
        let wrong = json!({ "password": "wrong horse" });
        assert_eq!(delete(&ada, wrong).await.refusal(), "401 sign_in_failed");

        let gone = delete(&ada, json!({ "password": PASSWORD })).await.expect_status(204);

        assert!(gone.header("set-cookie").contains("Max-Age=0"), "{gone}");
        events.ended().await;
        assert_eq!(ada.get("/app/user").await.refusal(), "401 unauthenticated");
        assert_eq!(token.get("/app/user").await.refusal(), "401 unauthenticated");
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let answer = app.anonymous().post("/app/session", typed).await;
        assert_eq!(answer.refusal(), "401 sign_in_failed");
        let bo = app.person("bo@x.org", "owner").await;
        app.claim(&bo, "clock-01").await;
        assert!(noted(&app, &["user"]).await.contains(&"user.delete".to_owned()));
    }

    async fn the_last_administrator_stays(app: TestApp) {
        let admin = app.person("ada@x.org", "admin").await;
        let typed = json!({ "password": PASSWORD });
        assert_eq!(delete(&admin, typed.clone()).await.refusal(), "409 last_admin");
        app.person("bo@x.org", "admin").await;
        delete(&admin, typed).await.expect_status(204);
    }

    async fn who_has_no_password_proves_themselves_at_their_provider(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        assert_eq!(delete(&ada, json!({})).await.refusal(), "403 proof_needed");
        let typed = json!({ "password": PASSWORD });
        assert_eq!(delete(&ada, typed).await.refusal(), "409 password_missing");
        // Somebody else at the same browser does not prove that.
        let away = Away::by(&ada, "/app/providers/id/confirm", json!({})).await;
        let query = let_in(&issuer, &away, "bo", json!({ "auth_time": START_S }));
        assert_refused(&away.back(&query).await, "not_signed_up");
        // Nor does somebody who did not have to prove themselves anew.
        let away = Away::by(&ada, "/app/providers/id/confirm", json!({})).await;
        let query = let_in(&issuer, &away, "ada", json!({ "auth_time": START_S - 3_600 }));
        assert_refused(&away.back(&query).await, "provider_refused");
        let late = confirm(&app, &issuer, &ada, "ada").await;
        app.advance(Duration::from_secs(600));
        assert_eq!(delete(&late, json!({})).await.refusal(), "403 proof_needed");
    }

    async fn a_fresh_sign_in_deletes_an_account(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        let fresh = confirm(&app, &issuer, &ada, "ada").await;
        delete(&fresh, json!({})).await.expect_status(204);
        assert_eq!(fresh.get("/app/user").await.refusal(), "401 unauthenticated");
        // Nothing of them is left: they are somebody new.
        let anew = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        anew.get("/app/user").await.expect_status(200);
    }

    async fn an_app_deletes_its_persons_account(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let old = app.bearer(&token(&issuer, "ada", json!({ "auth_time": START_S - 3_600 })));
        old.post("/app/sign-up/token", json!({})).await.expect_status(200);
        assert_eq!(delete(&old, json!({})).await.refusal(), "403 proof_needed");
        let fresh = app.bearer(&token(&issuer, "ada", json!({ "auth_time": START_S })));
        delete(&fresh, json!({})).await.expect_status(204);
        // A token that outlives the account makes no new one.
        assert_eq!(fresh.get("/app/user").await.refusal(), "403 not_signed_up");
        assert_eq!(old.get("/app/devices").await.refusal(), "403 not_signed_up");
    }

    async fn an_export_has_all_of_somebody_and_nothing_that_proves_them(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let back = sign_in(&app, &issuer, "ada", json!({})).await;
        let ada = browser_of(&app, &back);
        app.claim(&ada, "clock-01").await;
        let wish = json!({ "version": "1.0.5", "when": "now" });
        ada.post("/app/devices/clock-01/update", wish).await.expect_status(201);
        let user = ada.get("/app/user").await.json();
        let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
        app.admin().put(&path, json!({ "role": "viewer" })).await.expect_status(200);
        app.person("bo@x.org", "admin").await;

        let export = ada.get("/app/user/export").await.expect_status(200).json();

        assert_eq!(export["user"]["email"], "ada@example.org");
        assert_eq!(export["sign_in"]["items"][0]["subject"], "ada");
        assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(export["devices"][0]["thing"], "clock-01");
        let desired = &export["shadows"][0]["document"]["state"]["desired"]["config"];
        assert_eq!(desired["firmware_version"], "1.0.5");
        assert_eq!(export["updates"]["clock-01"][0]["version"], "1.0.5");
        let actions: Vec<_> = export["audit"].as_array().unwrap().iter().collect();
        let named = |name: &str| actions.iter().find(|entry| entry["action"] == name).unwrap();
        assert_eq!(named("user.sign_up")["actor"]["name"], "ada@example.org");
        // What an administrator did is said, not who it was.
        let by_admin = named("user.set_role");
        assert_eq!(by_admin["actor"]["id"], Value::Null);
        let text = export.to_string();
        let secret = back.cookie_named("__Host-otaru").unwrap().split_once('=').unwrap().1;
        for hidden in ["bo@x.org", "eyJ", "argon2", secret] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        let by_admin = app.admin().get(&format!("{path}/export")).await.expect_status(200).json();
        assert_eq!(by_admin["user"], export["user"]);
        assert_eq!(by_admin["devices"], export["devices"]);
        let answer = ada.get(&format!("{path}/export")).await;
        assert_eq!(answer.refusal(), "403 forbidden");
        let answer = app.admin().get("/api/v1/users/nobody/export").await;
        assert_eq!(answer.refusal(), "404 user_unknown");
        let nobodys = app.operator().await;
        assert_eq!(nobodys.get("/app/user/export").await.refusal(), "403 user_required");
    }
}
