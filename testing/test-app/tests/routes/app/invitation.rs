use std::time::Duration;

use otaru_test_app::{PASSWORD, each_database};
use serde_json::json;

fn taken(url: &serde_json::Value) -> serde_json::Value {
    let (page, code) = url.as_str().unwrap().split_once('#').unwrap();
    assert_eq!(page, "https://otaru.example/invitation");
    json!({ "code": code, "password": PASSWORD })
}

each_database! {
    async fn an_invitation_is_taken_once(app: TestApp) {
        let invited = json!({ "email": "Bo@x.org", "role": "publisher" });
        let invited = app.admin().post("/api/v1/invitations", invited).await.expect_status(201);
        let taken = taken(&invited.json()["url"]);

        let made = app.anonymous().post("/app/invitation", taken.clone()).await.expect_status(201);

        let user = made.json();
        assert_eq!((&user["email"], &user["role"]), (&json!("bo@x.org"), &json!("publisher")));
        app.anonymous().signed_in(&made).get("/api/v1/products").await.expect_status(200);
        let again = app.anonymous().post("/app/invitation", taken).await;
        assert_eq!(again.refusal(), "404 code_unknown");
    }

    async fn an_invitation_ends_after_a_week_and_when_taken_back(app: TestApp) {
        let invited = json!({ "email": "bo@x.org", "role": "viewer" });
        let first = app.admin().post("/api/v1/invitations", invited.clone()).await.json();
        app.advance(Duration::from_secs(7 * 24 * 60 * 60));
        let late = app.anonymous().post("/app/invitation", taken(&first["url"])).await;
        assert_eq!(late.refusal(), "404 code_unknown");
        let second = app.admin().post("/api/v1/invitations", invited.clone()).await.json();
        let path = format!("/api/v1/invitations/{}", second["id"].as_str().unwrap());
        app.admin().delete(&path).await.expect_status(204);
        let revoked = app.anonymous().post("/app/invitation", taken(&second["url"])).await;
        assert_eq!(revoked.refusal(), "404 code_unknown");
        assert_eq!(app.admin().delete(&path).await.refusal(), "404 invitation_unknown");
    }

    async fn a_weak_password_uses_nothing_up(app: TestApp) {
        let invited = json!({ "email": "bo@x.org", "role": "viewer" });
        let invited = app.admin().post("/api/v1/invitations", invited).await.json();
        let mut taken = taken(&invited["url"]);
        taken["password"] = "short".into();
        let weak = app.anonymous().post("/app/invitation", taken.clone()).await;
        assert_eq!(weak.refusal(), "400 password_weak");
        taken["password"] = PASSWORD.into();
        app.anonymous().post("/app/invitation", taken).await.expect_status(201);
    }

    async fn an_address_that_came_in_otherwise_is_taken(app: TestApp) {
        let invited = json!({ "email": "bo@x.org", "role": "viewer" });
        let invited = app.admin().post("/api/v1/invitations", invited).await.json();
        app.owner("bo@x.org").await;
        let answer = app.anonymous().post("/app/invitation", taken(&invited["url"])).await;
        assert_eq!(answer.refusal(), "409 email_taken");
    }
}
