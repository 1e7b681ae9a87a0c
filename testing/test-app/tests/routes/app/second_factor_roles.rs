//! Roles that must have a second factor.

use otaru_operations::Role;
use otaru_test_app::{Authenticator, Database, PASSWORD, TestApp};
use serde_json::json;

async fn strict() -> TestApp {
    let mut app = TestApp::start(Database::Sqlite).await;
    app.require_second_factor(&[Role::Admin, Role::Publisher]);
    app.restart().await;
    app
}

#[tokio::test]
async fn whoever_must_have_one_can_do_nothing_before() {
    let app = strict().await;
    let ada = app.person("ada@x.org", "publisher").await;
    for path in ["/app/user", "/app/sessions", "/api/v1/products", "/api/v1/whoami", "/app/devices"]
    {
        assert_eq!(ada.get(path).await.refusal(), "403 second_factor_missing", "{path}");
    }
    assert_eq!(ada.get("/app/listen").await.refusal(), "403 second_factor_missing");
    // A token would be a way around it.
    let token = ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await;
    assert_eq!(token.refusal(), "403 second_factor_missing");
    let change = json!({ "current": PASSWORD, "password": "another horse" });
    let change = ada.put("/app/user/password", change).await;
    assert_eq!(change.refusal(), "403 second_factor_missing");
    let setup = ada.get("/app/setup").await.expect_status(200).json();
    assert_eq!(setup["signed_in"], true);
    let state = ada.get("/app/second-factor").await.expect_status(200).json();
    assert_eq!((&state["set_up"], &state["required"]), (&json!(false), &json!(true)));

    Authenticator::set_up(&app, &ada).await;

    ada.get("/app/user").await.expect_status(200);
    ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await.expect_status(201);
    let remove = ada.post("/app/second-factor/remove", json!({ "password": PASSWORD })).await;
    assert_eq!(remove.refusal(), "403 second_factor_missing");
    ada.delete("/app/session").await.expect_status(204);
}

#[tokio::test]
async fn who_is_in_need_of_one_can_sign_out() {
    let app = strict().await;
    let ada = app.person("ada@x.org", "admin").await;
    ada.delete("/app/session").await.expect_status(204);
    assert_eq!(ada.get("/app/second-factor").await.refusal(), "401 unauthenticated");
}

#[tokio::test]
async fn others_need_none_until_they_get_such_a_role() {
    let app = strict().await;
    let ada = app.person("ada@x.org", "viewer").await;
    let id =
        ada.get("/app/user").await.expect_status(200).json()["id"].as_str().unwrap().to_owned();
    let publisher = json!({ "role": "publisher" });
    app.admin().put(&format!("/api/v1/users/{id}"), publisher).await.expect_status(200);
    assert_eq!(ada.get("/app/user").await.refusal(), "403 second_factor_missing");
}

#[tokio::test]
async fn programs_are_not_asked() {
    let app = strict().await;
    app.admin().get("/api/v1/whoami").await.expect_status(200);
    app.publisher().await.get("/api/v1/whoami").await.expect_status(200);
}
