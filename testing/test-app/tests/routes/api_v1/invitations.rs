use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/api/v1/invitations";

each_database! {
    async fn invitations_are_listed_without_their_links(app: TestApp) {
        for email in ["cleo@x.org", "bo@x.org"] {
            let invited = json!({ "email": email, "role": "viewer" });
            let made = app.admin().post(PATH, invited).await.expect_status(201).json();
            assert_eq!(made["expires_at"], "2026-11-30T12:00:00.000Z");
        }
        let listed = app.admin().get(PATH).await.expect_status(200);
        let items = listed.json()["items"].clone();
        assert_eq!((&items[0]["email"], &items[1]["email"]), (&json!("bo@x.org"), &json!("cleo@x.org")));
        assert!(!listed.to_string().contains('#'), "{listed}");
    }

    async fn inviting_again_replaces_the_link(app: TestApp) {
        let invited = json!({ "email": "bo@x.org", "role": "viewer" });
        let old = app.admin().post(PATH, invited).await.expect_status(201).json();
        let invited = json!({ "email": "bo@x.org", "role": "operator" });
        let new = app.admin().post(PATH, invited).await.expect_status(201).json();
        assert_ne!(old["url"], new["url"]);
        let listed = app.admin().get(PATH).await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(app.accept(&new["url"]).await.get("/app/user").await.json()["role"], "operator");
    }

    async fn a_person_is_not_invited(app: TestApp) {
        app.owner("ada@x.org").await;
        let answer = app.admin().post(PATH, json!({ "email": "ADA@x.org", "role": "viewer" })).await;
        assert_eq!(answer.refusal(), "409 email_taken");
        let answer = app.admin().post(PATH, json!({ "email": "ada", "role": "viewer" })).await;
        assert_eq!(answer.refusal(), "400 invalid_field");
    }

    async fn only_admins_invite(app: TestApp) {
        let invited = json!({ "email": "bo@x.org", "role": "admin" });
        let answer = app.operator().await.post(PATH, invited).await;
        assert_eq!(answer.refusal(), "403 forbidden");
    }

    async fn what_a_former_admin_invited_is_taken_back(app: TestApp) {
        app.person("root@x.org", "admin").await;
        let ada = app.person("ada@x.org", "admin").await;
        let id = ada.get("/app/user").await.json()["id"].as_str().unwrap().to_owned();
        let invited = json!({ "email": "ada2@x.org", "role": "admin" });
        ada.post(PATH, invited).await.expect_status(201);
        let path = format!("/api/v1/users/{id}");
        app.admin().put(&path, json!({ "role": "viewer" })).await.expect_status(200);
        assert_eq!(app.admin().get(PATH).await.json()["items"], json!([]));
    }
}
