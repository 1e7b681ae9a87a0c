use otaru_issuer::CLIENT;
use otaru_test_app::{Answer, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

use super::{browser_of, claims, provide, sign_in};

async fn tell(app: &TestApp, token: &str) -> Answer {
    let form = app.anonymous().with_header("content-type", "application/x-www-form-urlencoded");
    let path = "/app/providers/id/back-channel-logout";
    form.post_text(path, &format!("logout_token={token}")).await
}

fn logout(issuer: &otaru_issuer::Issuer, subject: &str, changes: Value) -> String {
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let mut all = json!({ "events": events, "jti": "1" });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    issuer.sign(&claims(issuer, subject, all))
}

each_database! {
    async fn who_signs_out_is_sent_to_the_provider_too(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        let out = ada.delete("/app/session").await.expect_status(200);
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{out}");
        let url = out.json()["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with(&format!("{}/sign-out?client_id={CLIENT}&", issuer.url())), "{url}");
        assert!(url.contains("post_logout_redirect_uri=https%3A%2F%2Fotaru.example%2F"), "{url}");
        assert!(url.contains("id_token_hint=eyJ"), "{url}");
        assert_eq!(ada.get("/app/user").await.refusal(), "401 unauthenticated");
        ada.delete("/app/session").await.expect_status(204);
        // Who came in by a password has nowhere else to go.
        app.person("bo@x.org", "owner").await;
        let typed = json!({ "email": "bo@x.org", "password": PASSWORD });
        let bo = app.anonymous().post("/app/session", typed).await.expect_status(200);
        app.anonymous().signed_in(&bo).delete("/app/session").await.expect_status(204);
    }

    async fn a_provider_without_a_page_for_it_is_left_alone(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        issuer.describe(json!({ "end_session_endpoint": null }));
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        ada.delete("/app/session").await.expect_status(204);
    }

    async fn a_provider_signs_its_people_out(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let session = async |subject: &str, sid: &str| {
            let back = sign_in(&app, &issuer, subject, json!({ "sid": sid })).await;
            browser_of(&app, &back)
        };
        let (one, two, bo) = (session("ada", "1").await, session("ada", "2").await, session("bo", "3").await);
        let is_in = async |browser: &otaru_test_app::Client| {
            browser.get("/app/user").await.status() == 200
        };
        let mut events = one.listen("/app/listen").await;
        tell(&app, &logout(&issuer, "ada", json!({ "sid": "1" }))).await.expect_status(200);
        events.ended().await;
        assert!(!is_in(&one).await && is_in(&two).await && is_in(&bo).await);
        tell(&app, &logout(&issuer, "ada", json!({}))).await.expect_status(200);
        assert!(!is_in(&two).await && is_in(&bo).await);
        tell(&app, &logout(&issuer, "nobody", json!({}))).await.expect_status(200);
        // Anybody's word is none, nor is a token that lets somebody in.
        let token = issuer.sign(&claims(&issuer, "bo", json!({})));
        assert_eq!(tell(&app, &token).await.refusal(), "403 provider_refused");
        let other = otaru_issuer::Issuer::start().await;
        let forged = other.sign(&claims(&issuer, "bo", json!({})));
        assert_eq!(tell(&app, &forged).await.refusal(), "403 provider_refused");
        assert!(is_in(&bo).await);
    }
}
