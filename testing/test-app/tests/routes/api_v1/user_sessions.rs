use otaru_test_app::{Authenticator, Client, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

async fn path_of(person: &Client) -> String {
    let user = person.get("/app/user").await.expect_status(200).json();
    format!("/api/v1/users/{}", user["id"].as_str().expect("an id"))
}

async fn sign_in(app: &TestApp, email: &str) -> Client {
    let typed = json!({ "email": email, "password": PASSWORD });
    let answer = app.anonymous().post("/app/session", typed).await.expect_status(200);
    app.anonymous().signed_in(&answer)
}

async fn listed(admin: &Client, path: &str) -> Vec<Value> {
    let list = admin.get(&format!("{path}/sessions")).await.expect_status(200).json();
    list["items"].as_array().expect("a list").clone()
}

each_database! {
    async fn an_administrator_ends_one_session_and_its_streams(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let other = sign_in(&app, "ada@x.org").await;
        let path = path_of(&ada).await;
        let mut stream = other.listen("/api/v1/listen").await;
        stream.place().await;
        let own = ada.get("/app/sessions").await.json();
        let mut own = own["items"].as_array().unwrap().iter();
        let wanted = own.find(|session| session["current"] == false).unwrap()["id"].clone();
        let all = listed(&app.admin(), &path).await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|session| session["current"] == false));

        let one = format!("{path}/sessions/{}", wanted.as_str().unwrap());
        app.admin().delete(&one).await.expect_status(204);

        stream.ended().await;
        assert_eq!(other.get("/app/user").await.refusal(), "401 unauthenticated");
        ada.get("/app/user").await.expect_status(200);
        assert_eq!(app.admin().delete(&one).await.refusal(), "404 session_unknown");
    }

    async fn an_administrator_signs_somebody_out_everywhere(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let other = sign_in(&app, "ada@x.org").await;
        let token = ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await.json();
        let token = app.bearer(token["token"].as_str().unwrap());
        let path = path_of(&ada).await;
        let mut stream = ada.listen("/app/listen").await;
        stream.place().await;

        app.admin().delete(&format!("{path}/sessions")).await.expect_status(204);

        stream.ended().await;
        for client in [&ada, &other, &token] {
            assert_eq!(client.get("/app/user").await.refusal(), "401 unauthenticated");
        }
        assert_eq!(listed(&app.admin(), &path).await, Vec::<Value>::new());
        let log = app.admin().get("/api/v1/audit?action=session.end").await.json();
        assert_eq!(log["items"].as_array().map(Vec::len), Some(2));
    }

    async fn an_administrator_keeps_what_they_came_with(app: TestApp) {
        let bo = app.person("bo@x.org", "admin").await;
        let other = sign_in(&app, "bo@x.org").await;
        bo.delete(&format!("{}/sessions", path_of(&bo).await)).await.expect_status(204);
        assert_eq!(other.get("/app/user").await.refusal(), "401 unauthenticated");
        bo.get("/app/user").await.expect_status(200);
    }

    async fn others_see_and_end_nothing(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let path = path_of(&ada).await;
        let foreign = app.foreign_admin().await;
        for (who, refusal) in [(&ada, "403 forbidden"), (&foreign, "404 user_unknown")] {
            for part in ["sessions", "second-factor"] {
                let part = format!("{path}/{part}");
                assert_eq!(who.get(&part).await.refusal(), refusal);
                assert_eq!(who.delete(&part).await.refusal(), refusal);
            }
            assert_eq!(who.delete(&format!("{path}/sessions/x")).await.refusal(), refusal);
        }
    }

    async fn somebody_ends_all_their_others(app: TestApp) {
        let ada = app.person("ada@x.org", "owner").await;
        let other = sign_in(&app, "ada@x.org").await;
        let token = ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await.json();
        let token = app.bearer(token["token"].as_str().unwrap());
        // One that leaked must not shut its person out.
        assert_eq!(token.delete("/app/sessions").await.refusal(), "403 forbidden");

        ada.delete("/app/sessions").await.expect_status(204);

        ada.get("/app/user").await.expect_status(200);
        for client in [&other, &token] {
            assert_eq!(client.get("/app/user").await.refusal(), "401 unauthenticated");
        }
        assert_eq!(app.admin().delete("/app/sessions").await.refusal(), "403 user_required");
    }

    async fn a_lost_second_factor_is_removed_by_an_administrator(app: TestApp) {
        let ada = app.person("ada@x.org", "admin").await;
        let bo = app.person("bo@x.org", "admin").await;
        let path = format!("{}/second-factor", path_of(&ada).await);
        assert_eq!(bo.delete(&path).await.refusal(), "404 second_factor_unknown");
        Authenticator::set_up(&app, &ada).await;
        assert_eq!(bo.get(&path).await.expect_status(200).json()["set_up"], true);
        // Their own needs a code or the password.
        assert_eq!(ada.delete(&path).await.refusal(), "400 invalid_field");

        bo.delete(&path).await.expect_status(204);

        assert_eq!(ada.get("/app/user").await.refusal(), "401 unauthenticated");
        sign_in(&app, "ada@x.org").await.get("/app/user").await.expect_status(200);
        let log = app.admin().get("/api/v1/audit?action=second_factor.reset").await.json();
        assert_eq!(log["items"][0]["actor"]["name"], "bo@x.org");
    }
}
