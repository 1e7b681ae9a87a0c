use otaru_test_app::{PASSWORD, each_database};
use serde_json::json;

const NEW: &str = "another horse";

each_database! {
    async fn a_new_password_ends_the_other_sessions(app: TestApp) {
        let here = app.person("ada@x.org", "owner").await;
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        let other = app.anonymous().post("/app/session", typed.clone()).await.expect_status(200);
        let other = app.anonymous().signed_in(&other);

        let change = json!({ "current": PASSWORD, "password": NEW });
        here.put("/app/user/password", change).await.expect_status(204);

        here.get("/app/user").await.expect_status(200);
        assert_eq!(other.get("/app/user").await.refusal(), "401 unauthenticated");
        let old = app.anonymous().post("/app/session", typed).await;
        assert_eq!(old.refusal(), "401 sign_in_failed");
        let typed = json!({ "email": "ada@x.org", "password": NEW });
        app.anonymous().post("/app/session", typed).await.expect_status(200);
    }

    async fn only_who_knows_the_password_changes_it(app: TestApp) {
        let ada = app.person("ada@x.org", "owner").await;
        let change = |current: &str, password: &str| json!({ "current": current, "password": password });
        let wrong = ada.put("/app/user/password", change("wrong horse", NEW)).await;
        assert_eq!(wrong.refusal(), "401 sign_in_failed");
        let weak = ada.put("/app/user/password", change(PASSWORD, "ada@x.org")).await;
        assert_eq!(weak.refusal(), "400 password_weak");
        // A person without a password has none to know.
        let token = app.owner("bo@x.org").await;
        let answer = token.put("/app/user/password", change("", NEW)).await;
        assert_eq!(answer.refusal(), "409 password_missing");
        let answer = app.admin().put("/app/user/password", change(PASSWORD, NEW)).await;
        assert_eq!(answer.refusal(), "403 user_required");
    }

    async fn guessing_the_current_password_is_stopped(app: TestApp) {
        let ada = app.person("ada@x.org", "owner").await;
        let change = json!({ "current": "wrong horse", "password": NEW });
        for _ in 0..10 {
            ada.put("/app/user/password", change.clone()).await.expect_status(401);
        }
        let answer = ada.put("/app/user/password", change).await;
        assert_eq!(answer.refusal(), "429 too_many_attempts");
    }
}
