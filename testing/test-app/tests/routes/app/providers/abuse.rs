use std::time::Duration;

use otaru_issuer::Issuer;
use otaru_test_app::each_database;
use serde_json::json;

use super::{Away, assert_refused, browser_of, let_in, provide, provider, sign_in};

each_database! {
    async fn what_comes_back_counts_in_the_browser_that_left(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let mallory = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&issuer, &mallory, "mallory", json!({}));
        let callback = format!("/app/providers/id/callback?{query}");
        // A victim is made to follow mallory's link: without a cookie, and with one of their own.
        let victim = app.anonymous().get(&callback).await.expect_status(303);
        assert_refused(&victim, "flow_unknown");
        let own = Away::to_sign_in(&app.anonymous()).await;
        assert_refused(&own.back(&query).await, "flow_unknown");
        let made_up = Away { kept: "__Host-otaru-away=AAAA".to_owned(), ..own };
        assert_refused(&made_up.back(&query).await, "flow_unknown");
        // In mallory's own browser it holds.
        let back = mallory.back(&query).await;
        assert_eq!(back.header("location"), "/account");
    }

    async fn the_state_is_that_of_the_browser(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&issuer, &away, "ada", json!({}));
        let others = query.replace("state=", "state=A");
        for wrong in [others.as_str(), "code=x", "code=x&state=", ""] {
            assert_refused(&away.back(wrong).await, "flow_unknown");
        }
    }

    async fn a_way_there_is_gone_once(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&issuer, &away, "ada", json!({}));
        away.back(&query).await.cookie_named("__Host-otaru").expect("it holds once");
        assert_refused(&away.back(&query).await, "flow_unknown");
    }

    async fn a_way_there_ends_after_ten_minutes(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&issuer, &away, "ada", json!({}));
        app.advance(Duration::from_secs(600));
        assert_refused(&away.back(&query).await, "flow_unknown");
    }

    async fn another_nonce_is_refused(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let back = sign_in(&app, &issuer, "ada", json!({ "nonce": "of another sign-in" })).await;
        assert_refused(&back, "provider_refused");
    }

    async fn one_provider_does_not_answer_for_another(app: TestApp) {
        let mut app = app;
        let (honest, evil) = (Issuer::start().await, Issuer::start().await);
        app.set_providers(vec![provider("id", honest.url()), provider("evil", evil.url())]);
        app.restart().await;
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&honest, &away, "ada", json!({}));
        // It names itself (RFC 9207), or hides that it does.
        let honestly = format!("iss={}", escaped(honest.url()));
        let evilly = format!("iss={}", escaped(evil.url()));
        assert!(query.contains(&honestly), "{query}");
        assert_refused(&away.back(&query.replace(&honestly, &evilly)).await, "provider_refused");
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&honest, &away, "ada", json!({}));
        assert_refused(&away.back(&query.replace(&honestly, "")).await, "provider_refused");
        // What was begun for one comes back to the address of the other.
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&honest, &away, "ada", json!({}));
        let browser = away.browser.clone().with_header("cookie", &away.kept);
        let back = browser.get(&format!("/app/providers/evil/callback?{query}")).await;
        assert_refused(&back.expect_status(303), "flow_unknown");
    }

    async fn a_browser_goes_back_to_no_other_server(app: TestApp) {
        let mut app = app;
        let _issuer = provide(&mut app, |_| {}).await;
        for page in ["https://evil.example", "//evil.example", "/\\evil.example", "evil", ""] {
            let body = json!({ "return_to": page });
            let answer = app.anonymous().post("/app/providers/id/sign-in", body).await;
            assert_eq!(answer.refusal(), "400 invalid_field", "{page}");
        }
    }

    async fn a_page_of_another_origin_begins_nothing(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let elsewhere = app.anonymous().with_header("origin", "https://evil.example");
        let answer = elsewhere.post("/app/providers/id/sign-in", json!({})).await;
        assert_eq!(answer.refusal(), "403 cross_site");
        let ada = sign_in(&app, &issuer, "ada", json!({})).await;
        let session = ada.cookie_named("__Host-otaru").unwrap();
        let forged = app.anonymous().with_header("cookie", session);
        let forged = forged.with_header("origin", "https://evil.example");
        for path in ["/app/user/identities", "/app/providers/id/confirm"] {
            let answer = forged.post(path, json!({ "provider": "id" })).await;
            assert_eq!(answer.refusal(), "403 cross_site", "{path}");
        }
    }

    async fn a_refusal_of_the_provider_is_told_by_a_code_alone(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let away = Away::to_sign_in(&app.anonymous()).await;
        let query = let_in(&issuer, &away, "ada", json!({}));
        let evil = format!("{query}&error=%3Cscript%3E&error_description=evil");
        let back = away.back(&evil).await;
        assert_eq!(back.header("location"), "/account?problem=provider_refused");
        assert!(back.body().is_empty());
    }

    async fn a_link_needs_the_session_that_asked_for_it(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let mallory = app.person("mallory@example.org", "owner").await;
        let victim = browser_of(&app, &sign_in(&app, &issuer, "victim", json!({})).await);
        let link = json!({ "provider": "id" });
        let away = Away::by(&mallory, "/app/user/identities", link).await;
        let query = let_in(&issuer, &away, "mallory", json!({}));
        // Even with mallory's own cookie a victim's browser is linked to nothing.
        let planted = Away { browser: victim.clone(), ..away };
        assert_refused(&planted.back(&query).await, "flow_unknown");
        let links = victim.get("/app/user/identities").await.json();
        assert_eq!(links["items"].as_array().unwrap().len(), 1);
    }

    async fn who_comes_back_all_the_time_waits(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let mut last = String::new();
        for _ in 0..61 {
            let away = Away::to_sign_in(&app.anonymous()).await;
            let query = let_in(&issuer, &away, "ada", json!({}));
            let query = query.replace("code=", "code=wrong");
            last = away.back(&query).await.header("location").to_owned();
        }
        assert_eq!(last, "/account?problem=too_many_attempts");
    }
}

fn escaped(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F")
}
