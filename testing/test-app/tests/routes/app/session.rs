use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use otaru_test_app::{Answer, PASSWORD, TestApp, each_database};
use serde_json::json;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    let typed = json!({ "email": email, "password": password });
    app.anonymous().post("/app/session", typed).await
}

each_database! {
    async fn an_address_that_nobody_can_have_is_refused_like_any_other(app: TestApp) {
        let typed = json!({ "email": format!("{}@x.org", "a".repeat(300)), "password": PASSWORD });
        let answer = app.anonymous().post("/app/session", typed).await;
        assert_eq!(answer.refusal(), "401 sign_in_failed");
    }

    async fn a_person_signs_in_and_out(app: TestApp) {
        app.person("ada@x.org", "operator").await;
        let signed_in = sign_in(&app, " Ada@X.org", PASSWORD).await.expect_status(200);
        assert_eq!(signed_in.json()["email"], "ada@x.org");
        assert_eq!(signed_in.header("cache-control"), "no-store");
        let cookie = signed_in.header("set-cookie");
        assert!(cookie.starts_with("__Host-otaru="), "{cookie}");
        let marks = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=7776000; Secure";
        assert!(cookie.ends_with(marks), "{cookie}");
        let browser = app.anonymous().signed_in(&signed_in);
        assert_eq!(browser.get("/api/v1/whoami").await.json()["role"], "operator");

        let out = browser.delete("/app/session").await.expect_status(204);

        assert!(out.header("set-cookie").starts_with("__Host-otaru=; "), "{out}");
        assert!(out.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(browser.get("/app/user").await.refusal(), "401 unauthenticated");
        browser.delete("/app/session").await.expect_status(204);
        app.anonymous().delete("/app/session").await.expect_status(204);
    }

    async fn on_plain_http_of_this_machine_the_cookie_is_plain(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let here = app.anonymous().with_header("host", "127.0.0.1:8080");
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let signed_in = here.post("/app/session", typed).await.expect_status(200);
        let cookie = signed_in.header("set-cookie");
        assert!(cookie.starts_with("otaru=") && !cookie.contains("Secure"), "{cookie}");
        here.signed_in(&signed_in).get("/app/user").await.expect_status(200);
        let elsewhere = app.anonymous().with_header("host", "ota.example");
        let answer = elsewhere.signed_in(&signed_in).get("/app/user").await;
        assert_eq!(answer.refusal(), "401 unauthenticated");
    }

    async fn wrong_and_unknown_look_the_same(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        app.owner("bo@x.org").await;
        let wrong = sign_in(&app, "ada@x.org", "wrong horse").await;
        assert_eq!(wrong.refusal(), "401 sign_in_failed");
        for email in ["nobody@x.org", "bo@x.org", "no address", ""] {
            let unknown = sign_in(&app, email, "wrong horse").await;
            assert_eq!(unknown.body(), wrong.body(), "{email}");
        }
    }

    async fn guessing_is_stopped_for_the_place_it_comes_from(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let at = |place: &str| app.anonymous().from_address(place.parse().unwrap());
        let typed = |password: &str| json!({ "email": "ada@x.org", "password": password });
        for _ in 0..10 {
            let answer = at("192.0.2.1").post("/app/session", typed("wrong horse")).await;
            assert_eq!(answer.refusal(), "401 sign_in_failed");
        }
        let stopped = at("192.0.2.1").post("/app/session", typed(PASSWORD)).await;
        assert_eq!(stopped.refusal(), "429 too_many_attempts");
        assert_eq!(stopped.header("retry-after"), "900");
        at("192.0.2.2").post("/app/session", typed(PASSWORD)).await.expect_status(200);
        app.advance(Duration::from_secs(15 * 60));
        at("192.0.2.1").post("/app/session", typed(PASSWORD)).await.expect_status(200);
    }

    async fn a_session_ends_when_unused_and_by_its_age(app: TestApp) {
        let browser = app.person("ada@x.org", "owner").await;
        // Changing something waits for the writer, and so for the note of the use before it.
        app.advance(DAY * 29);
        browser.put("/app/user", json!({})).await.expect_status(200);
        app.advance(DAY * 29);
        browser.put("/app/user", json!({})).await.expect_status(200);
        app.advance(DAY * 31);
        assert_eq!(browser.get("/app/user").await.refusal(), "401 unauthenticated");

        let browser = app.anonymous().signed_in(&sign_in(&app, "ada@x.org", PASSWORD).await);
        for _ in 0..8 {
            app.advance(DAY * 11);
            browser.put("/app/user", json!({})).await.expect_status(200);
        }
        app.advance(DAY * 2);
        assert_eq!(browser.get("/app/user").await.refusal(), "401 unauthenticated");
    }

    async fn signing_in_again_ends_the_session_the_browser_had(app: TestApp) {
        let first = app.person("ada@x.org", "owner").await;
        let other = app.anonymous().signed_in(&sign_in(&app, "ada@x.org", PASSWORD).await);
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let second = first.post("/app/session", typed).await.expect_status(200);
        assert_eq!(first.get("/app/user").await.refusal(), "401 unauthenticated");
        app.anonymous().signed_in(&second).get("/app/user").await.expect_status(200);
        other.get("/app/user").await.expect_status(200);
        let wrong = json!({ "email": "ada@x.org", "password": "wrong horse" });
        other.post("/app/session", wrong).await.expect_status(401);
        other.get("/app/user").await.expect_status(200);
    }

    async fn a_browser_with_cookies_of_both_ports_is_let_in_by_either(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let here = app.anonymous().with_header("host", "localhost:8080");
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let plain = here.post("/app/session", typed).await.expect_status(200);
        let both = format!("__Host-otaru=ended; {}", plain.cookie());
        let browser =
            here.with_header("cookie", &both).with_header("sec-fetch-site", "same-origin");
        browser.get("/app/user").await.expect_status(200);
        browser.delete("/app/session").await.expect_status(204);
        assert_eq!(browser.get("/app/user").await.refusal(), "401 unauthenticated");
    }

    async fn the_oldest_of_very_many_sessions_ends(app: TestApp) {
        let first = app.person("ada@x.org", "owner").await;
        for _ in 0..50 {
            first.get("/app/user").await.expect_status(200);
            app.advance(Duration::from_secs(1));
            sign_in(&app, "ada@x.org", PASSWORD).await.expect_status(200);
        }
        assert_eq!(first.get("/app/user").await.refusal(), "401 unauthenticated");
    }

    async fn pages_of_another_origin_change_nothing(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let signed_in = sign_in(&app, "ada@x.org", PASSWORD).await;
        let with = |headers: &[(&'static str, &str)]| {
            let browser = app.anonymous().with_header("cookie", signed_in.cookie());
            headers.iter().fold(browser, |browser, (name, value)| browser.with_header(name, value))
        };
        let host = ("host", "ota.example");
        for (headers, expected) in [
            (&[host][..], 403),
            (&[host, ("sec-fetch-site", "cross-site")], 403),
            (&[host, ("sec-fetch-site", "same-site")], 403),
            (&[host, ("sec-fetch-site", "same-site"), ("origin", "https://ota.example")], 403),
            (&[host, ("origin", "https://evil.example")], 403),
            (&[host, ("origin", "https://ota.example.evil")], 403),
            (&[host, ("origin", "null")], 403),
            (&[host, ("sec-fetch-site", "same-origin")], 200),
            (&[host, ("sec-fetch-site", "none")], 200),
            (&[host, ("origin", "https://ota.example")], 200),
            (&[("host", "127.0.0.1:8080"), ("origin", "https://otaru.example")], 200),
        ] {
            let answer = with(headers).put("/app/user", json!({ "language": "ja" })).await;
            assert_eq!(answer.status(), expected, "{headers:?}: {answer}");
            if expected == 403 {
                assert_eq!(answer.refusal(), "403 cross_site");
            }
            // Reading tells another origin's page nothing: it does not see the answer.
            with(headers).get("/app/user").await.expect_status(200);
        }
        // Nor may another origin's page sign somebody in, or out.
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let elsewhere = with(&[host, ("sec-fetch-site", "cross-site")]);
        assert_eq!(elsewhere.post("/app/session", typed).await.refusal(), "403 cross_site");
        assert_eq!(elsewhere.delete("/app/session").await.refusal(), "403 cross_site");
    }

    async fn a_token_needs_no_page(app: TestApp) {
        let owner = app.owner("ada@x.org").await;
        let elsewhere = owner.with_header("sec-fetch-site", "cross-site");
        elsewhere.put("/app/user", json!({ "language": "de" })).await.expect_status(200);
    }

    async fn a_cookie_opens_event_streams(app: TestApp) {
        let browser = app.person("ada@x.org", "owner").await;
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        app.claim(&browser, "clock-01").await;
        let mut events = browser.listen("/app/listen").await;
        app.publish("clock", "1.0.5", 1).await;
        assert_eq!(events.next().await.kind, "firmware_available");
    }

    async fn a_cookie_that_holds_no_more_is_a_stranger_s(app: TestApp) {
        app.create_product("clock", "public").await;
        let stranger = app
            .anonymous()
            .with_header("cookie", "__Host-otaru=old")
            .with_header("sec-fetch-site", "same-origin");
        assert_eq!(stranger.get("/app/user").await.refusal(), "401 unauthenticated");
        stranger.get("/firmware/clock/root/latest").await.expect_status(200);
        let answer = stranger.send(Method::GET, "/firmware/clock/1.bin", Body::empty()).await;
        assert_eq!(answer.refusal(), "404 release_unknown");
    }
}
