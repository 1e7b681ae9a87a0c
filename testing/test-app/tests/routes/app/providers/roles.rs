use std::time::Duration;

use otaru_operations::{Role, RoleMapping};
use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::{START_S, assert_refused, browser_of, noted, provide, sign_in};

fn mapping() -> Option<RoleMapping> {
    let roles = [("admins", Role::Admin), ("ops", Role::Operator)];
    let roles = roles.map(|(value, role)| (value.to_owned(), role)).to_vec();
    Some(RoleMapping { claim: "realm_access.roles".to_owned(), roles })
}

fn groups(names: &[&str], after_s: i64) -> Value {
    json!({ "realm_access": { "roles": names }, "iat": START_S + after_s })
}

each_database! {
    async fn the_role_is_what_the_provider_says_at_each_sign_in(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| {
            provider.roles = mapping();
            provider.signs_up = false;
        }).await;
        assert_refused(&sign_in(&app, &issuer, "ada", groups(&["others"], 0)).await, "not_signed_up");
        let role = async |names: &[&str], after_s: i64| {
            let back = sign_in(&app, &issuer, "ada", groups(names, after_s)).await;
            browser_of(&app, &back).get("/app/user").await.json()["role"].clone()
        };
        assert_eq!(role(&["x", "ops"], 1).await, "operator");
        assert_eq!(role(&["ops", "admins"], 2).await, "admin", "the first of the settings counts");
        app.person("other@x.org", "admin").await;
        assert_eq!(role(&["ops"], 3).await, "operator");
        assert_eq!(role(&[], 4).await, "owner");
        let changes = noted(&app, &["user"]).await;
        assert_eq!(changes.iter().filter(|action| *action == "user.set_role").count(), 3);
    }

    async fn the_last_administrator_stays_one(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |provider| provider.roles = mapping()).await;
        sign_in(&app, &issuer, "ada", groups(&["admins"], 0)).await;
        // Somebody can sign in: there is nothing to set up.
        let setup = app.anonymous().get("/app/setup").await.json();
        assert_eq!(setup["needed"], false);
        app.advance(Duration::from_secs(9));
        let back = sign_in(&app, &issuer, "ada", groups(&[], 9)).await;
        assert_eq!(browser_of(&app, &back).get("/app/user").await.json()["role"], "admin");
    }

    async fn without_a_mapping_the_servers_own_word_counts(app: TestApp) {
        let mut app = app;
        let issuer = provide(&mut app, |_| {}).await;
        let back = sign_in(&app, &issuer, "ada", groups(&["admins"], 0)).await;
        let ada = browser_of(&app, &back).get("/app/user").await.json();
        assert_eq!(ada["role"], "owner");
        let path = format!("/api/v1/users/{}", ada["id"].as_str().unwrap());
        app.admin().put(&path, json!({ "role": "viewer" })).await.expect_status(200);
        let back = sign_in(&app, &issuer, "ada", groups(&[], 9)).await;
        assert_eq!(browser_of(&app, &back).get("/app/user").await.json()["role"], "viewer");
    }
}
