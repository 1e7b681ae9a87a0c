use otaru_operations::providers_of_no_organisation;
use otaru_test_app::{PASSWORD, each_database};
use serde_json::{Value, json};

use super::{Away, assert_refused, browser_of, let_in, noted, provide, provider, sign_in};

each_database! {
    async fn somebody_new_signs_up_by_a_provider_and_comes_again(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let offered = app.anonymous().get("/app/providers").await.expect_status(200).json();
        assert_eq!(offered["items"], json!([{ "name": "id", "display_name": "Example ID" }]));
        let back = sign_in(&app, &issuer, "ada", json!({})).await;
        assert_eq!(back.header("location"), "/account");
        let cleared = back.cookie_named("__Host-otaru-away");
        assert_eq!(cleared, Some("__Host-otaru-away="), "{back}");
        let ada = browser_of(&app, &back).get("/app/user").await.expect_status(200).json();
        assert_eq!((&ada["email"], &ada["role"]), (&json!("ada@example.org"), &json!("owner")));

        let again = sign_in(&app, &issuer, "ada", json!({ "email": "new@example.org" })).await;
        let same = browser_of(&app, &again).get("/app/user").await.expect_status(200).json();
        assert_eq!(same["id"], ada["id"]);
        assert_eq!(same["email"], "ada@example.org", "an address is the person's own here");
        let noted = noted(&app, &["user", "identity", "session"]).await;
        let expected = ["user.sign_up", "identity.link", "session.create", "session.create"];
        assert_eq!(noted, expected);
    }

    async fn a_session_of_the_browser_ends_with_the_new_one(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let first = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        let away = Away::to_sign_in(&first).await;
        let second = away.back(&let_in(&issuer, &away, "bo", json!({}))).await;
        assert_eq!(first.get("/app/user").await.refusal(), "401 unauthenticated");
        let bo = browser_of(&app, &second).get("/app/user").await.json();
        assert_eq!(bo["email"], "bo@example.org");
    }

    async fn nobody_new_comes_in_where_nobody_may_sign_up(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| provider.signs_up = false).await;
        let back = sign_in(&app, &issuer, "ada", json!({})).await;
        assert_refused(&back, "not_signed_up");
        assert_eq!(back.header("location"), "/account?problem=not_signed_up");
    }

    async fn an_address_links_nobody_to_an_account(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        app.person("ada@example.org", "admin").await;
        let back = sign_in(&app, &issuer, "ada", json!({})).await;
        assert_refused(&back, "email_taken");
    }

    async fn a_trusted_provider_links_by_an_address_it_verified(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| provider.trusts_emails = true).await;
        let known = app.person("ada@example.org", "operator").await;
        let unverified = json!({ "email_verified": false });
        let back = sign_in(&app, &issuer, "mallory", unverified.clone()).await;
        let mallory = browser_of(&app, &back).get("/app/user").await.json();
        let back = sign_in(&app, &issuer, "ada2", json!({
            "email": "ada@example.org", "email_verified": false,
        })).await;
        let other = browser_of(&app, &back).get("/app/user").await.json();
        let ada = known.get("/app/user").await.json();
        assert!(other["id"] != ada["id"] && mallory["id"] != ada["id"]);

        let back = sign_in(&app, &issuer, "ada", json!({ "email": "ADA@Example.org" })).await;
        let linked = browser_of(&app, &back).get("/app/user").await.json();
        assert_eq!((&linked["id"], &linked["role"]), (&ada["id"], &json!("operator")));
    }

    async fn who_has_no_verified_address_gets_one_that_is_nobodys(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        app.person("victim@example.org", "owner").await;
        // It says nothing more beside its tokens.
        issuer.set_user_info(json!({ "sub": "two" }));
        for (subject, changes) in [
            ("one", json!({ "email": "victim@example.org", "email_verified": false })),
            ("two", json!({ "email": null, "email_verified": null })),
            ("three", json!({ "email": "no address", "email_verified": true })),
        ] {
            let back = sign_in(&app, &issuer, subject, changes).await;
            let user = browser_of(&app, &back).get("/app/user").await.json();
            let email = user["email"].as_str().unwrap();
            assert!(email.ends_with("@id.invalid") && email.len() == 27, "{email}");
        }
    }

    async fn password_routes_say_that_there_is_none(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        let change = json!({ "current": PASSWORD, "password": "another horse" });
        let answer = ada.put("/app/user/password", change).await;
        assert_eq!(answer.refusal(), "409 password_missing");
        // To others it looks as any wrong password does.
        let typed = json!({ "email": "ada@example.org", "password": PASSWORD });
        let answer = app.anonymous().post("/app/session", typed).await;
        assert_eq!(answer.refusal(), "401 sign_in_failed");
        // A link gives one.
        let id = ada.get("/app/user").await.json()["id"].as_str().unwrap().to_owned();
        let link = app.admin().post(&format!("/api/v1/users/{id}/reset-link"), json!({})).await;
        let link = link.expect_status(201).json();
        let (_, code) = link["url"].as_str().unwrap().split_once('#').unwrap();
        let chosen = json!({ "code": code, "password": PASSWORD });
        app.anonymous().put("/app/password-reset", chosen).await.expect_status(200);
    }

    async fn a_provider_that_is_away_is_told(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        issuer.set_away(true);
        let path = "/app/providers/id/sign-in";
        let answer = app.anonymous().post(path, json!({})).await;
        assert_eq!(answer.refusal(), "503 provider_unavailable");
        let answer = app.anonymous().post("/app/providers/other/sign-in", json!({})).await;
        assert_eq!(answer.refusal(), "404 provider_unknown");
    }

    async fn a_provider_for_no_organisation_is_named(app: TestApp) {
        let mut app = app;
        let nowhere = provide(&mut app, |provider| provider.organisation = "nowhere".to_owned());
        let issuer = nowhere.await;
        let lost = providers_of_no_organisation(&app.operations).await.unwrap();
        assert_eq!(lost, [("id".to_owned(), "nowhere".to_owned())]);
        app.set_providers(vec![provider("id", issuer.url())]);
        app.restart().await;
        assert!(providers_of_no_organisation(&app.operations).await.unwrap().is_empty());
    }

    async fn a_provider_for_another_organisation_makes_people_of_that(app: TestApp) {
        let mut app = app;
        app.foreign_admin().await;
        let issuer = provide(&mut app, |provider| provider.organisation = "elsewhere".to_owned());
        let issuer = issuer.await;
        let ada = browser_of(&app, &sign_in(&app, &issuer, "ada", json!({})).await);
        assert_eq!(ada.get("/app/user").await.json()["organisation"], "elsewhere");
        let people: Value = app.admin().get("/api/v1/users").await.json();
        assert!(!people.to_string().contains("ada@"), "{people}");
        let host = app.person("host@example.org", "owner").await;
        let link = json!({ "provider": "id" });
        let answer = host.post("/app/user/identities", link).await;
        assert_eq!(answer.refusal(), "404 provider_unknown");
    }
}
