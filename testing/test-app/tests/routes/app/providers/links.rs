use otaru_issuer::Issuer;
use otaru_test_app::{Answer, Client, PASSWORD, each_database};
use serde_json::{Value, json};

use super::{Away, assert_refused, browser_of, let_in, noted, provide, sign_in, token};

async fn link(issuer: &Issuer, browser: &Client, subject: &str) -> Answer {
    let body = json!({ "provider": "id", "return_to": "/account" });
    let away = Away::by(browser, "/app/user/identities", body).await;
    away.back(&let_in(issuer, &away, subject, json!({}))).await
}

async fn links(browser: &Client) -> Value {
    browser.get("/app/user/identities").await.expect_status(200).json()
}

each_database! {
    async fn a_person_links_a_provider_and_unlinks_it(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| provider.signs_up = false).await;
        let ada = app.person("ada@x.org", "viewer").await;
        let before = links(&ada).await;
        assert_eq!(before["has_password"], true);
        assert_eq!(before["linkable"][0]["name"], "id");
        assert_eq!(link(&issuer, &ada, "ada").await.header("location"), "/account");
        let after = links(&ada).await;
        let identity = &after["items"][0];
        assert_eq!((&identity["provider"], &identity["subject"]), (&json!("id"), &json!("ada")));
        assert_eq!(after["linkable"], json!([]));
        let by_provider = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        assert_eq!(by_provider.get("/app/user").await.json()["email"], "ada@x.org");
        let app_token = app.bearer(&token(&issuer, "ada", json!({})));
        app_token.get("/app/user").await.expect_status(200);

        let path = format!("/app/user/identities/{}", identity["id"].as_str().unwrap());
        ada.delete(&path).await.expect_status(204);

        assert_eq!(by_provider.get("/app/user").await.refusal(), "401 unauthenticated");
        assert_eq!(app_token.get("/app/user").await.refusal(), "403 not_signed_up");
        assert_eq!(ada.delete(&path).await.refusal(), "404 identity_unknown");
        assert_refused(&sign_in(&app, &issuer, "ada", json!({})).await, "not_signed_up");
        assert_eq!(noted(&app, &["identity"]).await, ["identity.link", "identity.unlink"]);
    }

    async fn the_last_way_in_stays(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        let id = links(&ada).await["items"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/app/user/identities/{id}");
        assert_eq!(ada.delete(&path).await.refusal(), "409 last_way_in");
        let bo = app.person("bo@x.org", "owner").await;
        assert_eq!(bo.delete(&path).await.refusal(), "404 identity_unknown");
        let leaked = app.owner("carl@x.org").await;
        assert_eq!(leaked.delete(&path).await.refusal(), "403 session_required");
    }

    async fn what_a_provider_calls_somebody_is_one_person(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        sign_in(&app, &issuer, "ada", json!({})).await;
        let bo = app.person("bo@x.org", "owner").await;
        assert_refused(&link(&issuer, &bo, "ada").await, "identity_taken");
        assert_eq!(links(&bo).await["items"], json!([]));
    }

    async fn a_session_that_ended_meanwhile_links_nothing(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = app.person("ada@x.org", "owner").await;
        let away = Away::by(&ada, "/app/user/identities", json!({ "provider": "id" })).await;
        let query = let_in(&issuer, &away, "ada", json!({}));
        ada.delete("/app/session").await.expect_status(204);
        assert_refused(&away.back(&query).await, "flow_unknown");
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let again = app.anonymous().post("/app/session", typed).await.expect_status(200);
        assert_eq!(links(&app.anonymous().signed_in(&again)).await["items"], json!([]));
    }
}
