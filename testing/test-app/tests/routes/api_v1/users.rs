use otaru_test_app::{Client, PASSWORD, TestApp, each_database};
use serde_json::json;

async fn path_of(person: &Client) -> String {
    let user = person.get("/app/user").await.expect_status(200).json();
    format!("/api/v1/users/{}", user["id"].as_str().expect("an id"))
}

async fn set_role(app: &TestApp, person: &Client, role: &str) {
    let path = path_of(person).await;
    let changed = app.admin().put(&path, json!({ "role": role })).await.expect_status(200);
    assert_eq!(changed.json()["role"], role);
}

async fn token_of(app: &TestApp, email: &str) -> Client {
    let made = app.admin().post("/api/v1/tokens", json!({ "user": email })).await;
    app.bearer(made.expect_status(201).json()["token"].as_str().expect("a token"))
}

each_database! {
    async fn people_are_listed_by_address_in_pages(app: TestApp) {
        for email in ["cleo@example.org", "ada@example.org", "bo@example.org"] {
            app.owner(email).await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/v1/users?limit=2".to_owned();
        loop {
            let page = app.admin().get(&path).await.expect_status(200).json();
            let items = page["items"].as_array().expect("items");
            seen.extend(items.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/users?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, ["ada@example.org", "bo@example.org", "cleo@example.org"]);
    }

    async fn an_address_is_taken_once(app: TestApp) {
        app.owner("ada@example.org").await;
        let again = json!({ "email": "ADA@example.org", "role": "viewer" });
        assert_eq!(app.admin().post("/api/v1/users", again).await.refusal(), "409 email_taken");
        let none = json!({ "email": "ada", "role": "viewer" });
        assert_eq!(app.admin().post("/api/v1/users", none).await.refusal(), "400 invalid_field");
        let king = json!({ "email": "bo@example.org", "role": "king" });
        assert_eq!(app.admin().post("/api/v1/users", king).await.refusal(), "400 invalid_body");
    }

    async fn only_an_admin_adds_people(app: TestApp) {
        let user = json!({ "email": "bo@example.org", "role": "admin" });
        let answer = app.operator().await.post("/api/v1/users", user).await;
        assert_eq!(answer.refusal(), "403 forbidden");
    }

    async fn a_changed_role_holds_from_the_next_request_on(app: TestApp) {
        app.person("root@x.org", "admin").await;
        let browser = app.person("ada@x.org", "operator").await;
        let token = token_of(&app, "ada@x.org").await;
        let code = "/api/v1/devices/clock-01/claim-code";
        for client in [&browser, &token] {
            assert_eq!(client.post(code, json!({})).await.refusal(), "404 device_unknown");
        }
        set_role(&app, &browser, "viewer").await;
        for client in [&browser, &token] {
            assert_eq!(client.post(code, json!({})).await.refusal(), "403 forbidden");
            assert_eq!(client.get("/api/v1/whoami").await.json()["role"], "viewer");
        }
        // A token stays within what it was made for, however far its person rises.
        set_role(&app, &browser, "admin").await;
        assert_eq!(browser.get("/api/v1/whoami").await.json()["role"], "admin");
        assert_eq!(token.get("/api/v1/whoami").await.json()["role"], "operator");
        set_role(&app, &token, "publisher").await;
        assert_eq!(token.get("/api/v1/whoami").await.json()["role"], "viewer");
    }

    async fn streams_end_with_the_role_they_were_opened_with(app: TestApp) {
        let browser = app.person("ada@x.org", "operator").await;
        let token = token_of(&app, "ada@x.org").await;
        let mut streams =
            [browser.listen("/api/v1/listen").await, token.listen("/api/v1/listen").await];
        for stream in &mut streams {
            stream.place().await;
        }
        set_role(&app, &browser, "owner").await;
        for stream in &mut streams {
            stream.ended().await;
        }
        assert_eq!(browser.get("/api/v1/listen").await.refusal(), "403 forbidden");
        let mut own = browser.listen("/app/listen").await;
        own.place().await;
        browser.delete("/app/session").await.expect_status(204);
        own.ended().await;
    }

    async fn a_removed_person_is_gone_at_once(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let browser = app.person("ada@x.org", "owner").await;
        app.claim(&browser, "clock-01").await;
        let named = json!({ "name": "Kitchen", "time_zone": "Asia/Tokyo" });
        browser.put("/app/devices/clock-01", named).await.expect_status(200);
        let wish = json!({ "version": "1.0.5", "when": "later" });
        browser.post("/app/devices/clock-01/update", wish).await.expect_status(201);
        let token = token_of(&app, "ada@x.org").await;
        let mut stream = browser.listen("/app/listen").await;
        stream.place().await;
        let path = path_of(&browser).await;

        app.admin().delete(&path).await.expect_status(204);

        stream.ended().await;
        for client in [&browser, &token] {
            assert_eq!(client.get("/app/user").await.refusal(), "401 unauthenticated");
        }
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let answer = app.anonymous().post("/app/session", typed).await;
        assert_eq!(answer.refusal(), "401 sign_in_failed");
        assert_eq!(app.admin().delete(&path).await.refusal(), "404 user_unknown");
        let device = app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(device["owner"], json!(null));
        // Whoever comes next finds the device without the old name.
        let bo = app.person("bo@x.org", "owner").await;
        app.claim(&bo, "clock-01").await;
        let device = bo.get("/app/devices/clock-01").await.json();
        assert_eq!((&device["name"], &device["time_zone"]), (&json!(null), &json!(null)));
    }

    async fn the_last_administrator_who_can_sign_in_stays(app: TestApp) {
        let ada = app.person("ada@x.org", "admin").await;
        // One without a password can let nobody in.
        let bo = json!({ "email": "bo@x.org", "role": "admin" });
        let bo = app.admin().post("/api/v1/users", bo).await.expect_status(201).json();
        let path = path_of(&ada).await;
        let demoted = ada.put(&path, json!({ "role": "viewer" })).await;
        assert_eq!(demoted.refusal(), "409 last_admin");
        assert_eq!(app.admin().delete(&path).await.refusal(), "409 last_admin");
        ada.put(&path, json!({ "role": "admin" })).await.expect_status(200);
        let other = format!("/api/v1/users/{}", bo["id"].as_str().unwrap());
        ada.delete(&other).await.expect_status(204);
        app.person("cleo@x.org", "admin").await;
        ada.delete(&path).await.expect_status(204);
        assert_eq!(ada.get("/app/user").await.refusal(), "401 unauthenticated");
    }

    async fn people_of_another_organisation_do_not_exist(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let (path, foreign) = (path_of(&ada).await, app.foreign_admin().await);
        let role = foreign.put(&path, json!({ "role": "owner" })).await;
        assert_eq!(role.refusal(), "404 user_unknown");
        assert_eq!(foreign.delete(&path).await.refusal(), "404 user_unknown");
        let link = foreign.post(&format!("{path}/reset-link"), json!({})).await;
        assert_eq!(link.refusal(), "404 user_unknown");
        assert_eq!(ada.get("/app/user").await.json()["role"], "viewer");
    }

    async fn a_person_is_found_by_their_id(app: TestApp) {
        let ada = json!({ "email": "ada@example.org", "role": "viewer" });
        let ada = app.admin().post("/api/v1/users", ada).await.expect_status(201).json();
        let path = format!("/api/v1/users/{}", ada["id"].as_str().unwrap());
        assert_eq!(app.admin().get(&path).await.expect_status(200).json(), ada);
        assert_eq!(app.admin().get("/api/v1/users/nobody").await.refusal(), "404 user_unknown");
        assert_eq!(app.foreign_admin().await.get(&path).await.refusal(), "404 user_unknown");
        assert_eq!(app.operator().await.get(&path).await.refusal(), "403 forbidden");
    }
}
