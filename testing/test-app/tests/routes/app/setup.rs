use expect_test::expect;
use otaru_test_app::{PASSWORD, each_database};
use serde_json::json;

each_database! {
    async fn the_first_administrator_comes_in_with_the_printed_code(app: TestApp) {
        let state = app.anonymous().get("/app/setup").await.expect_status(200).json();
        assert_eq!(state, json!({ "needed": true, "mail": false, "version": "0.1.0", "signed_in": false }));
        let code = app.setup_code().await.unwrap();
        let wanted = json!({ "code": code, "email": "Ada@example.org", "password": PASSWORD });

        let made = app.anonymous().post("/app/setup", wanted.clone()).await.expect_status(201);

        let mut user = made.json();
        user["id"] = "ID".into();
        expect![[r#"{"email":"ada@example.org","firmware_version":null,"id":"ID","language":null,"organisation":"default","phrase_type":null,"role":"admin"}"#]]
            .assert_eq(&user.to_string());
        let browser = app.anonymous().signed_in(&made);
        assert_eq!(browser.get("/api/v1/users").await.json()["items"][0]["email"], "ada@example.org");
        let again = app.anonymous().post("/app/setup", wanted).await;
        assert_eq!(again.refusal(), "409 setup_done");
        let state = app.anonymous().get("/app/setup").await.json();
        assert_eq!(state["needed"], false);
        assert_eq!(app.setup_code().await, None);
    }

    async fn a_code_holds_until_the_next_is_made(app: TestApp) {
        let old = app.setup_code().await.unwrap();
        let new = app.setup_code().await.unwrap();
        let with = |code: &str| json!({ "code": code, "email": "ada@x.org", "password": PASSWORD });
        for wrong in ["", &old] {
            let answer = app.anonymous().post("/app/setup", with(wrong)).await;
            assert_eq!(answer.refusal(), "403 setup_code_wrong");
        }
        let weak = json!({ "code": new, "email": "ada@x.org", "password": "password123" });
        assert_eq!(app.anonymous().post("/app/setup", weak).await.refusal(), "400 password_weak");
        let nobody = json!({ "code": new, "email": "ada", "password": PASSWORD });
        assert_eq!(app.anonymous().post("/app/setup", nobody).await.refusal(), "400 invalid_field");
        app.anonymous().post("/app/setup", with(&new)).await.expect_status(201);
    }

    async fn a_person_added_without_a_password_can_become_it(app: TestApp) {
        let ada = json!({ "email": "ada@x.org", "role": "viewer" });
        let ada = app.admin().post("/api/v1/users", ada).await.expect_status(201).json();
        let code = app.setup_code().await.unwrap();
        let wanted = json!({ "code": code, "email": "ada@x.org", "password": PASSWORD });
        let made = app.anonymous().post("/app/setup", wanted).await.expect_status(201).json();
        assert_eq!((&made["id"], &made["role"]), (&ada["id"], &json!("admin")));
    }

    async fn a_code_takes_over_nobody(app: TestApp) {
        app.person("bo@x.org", "viewer").await;
        app.foreign_admin().await;
        let code = app.setup_code().await.unwrap();
        for email in ["bo@x.org", "admin@elsewhere.example"] {
            let wanted = json!({ "code": code, "email": email, "password": PASSWORD });
            let answer = app.anonymous().post("/app/setup", wanted).await;
            assert_eq!(answer.refusal(), "409 email_taken");
        }
    }
}
