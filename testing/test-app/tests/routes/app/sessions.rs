use otaru_test_app::{Client, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

const SESSIONS: &str = "/app/sessions";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn sign_in(app: &TestApp, email: &str) -> Client {
    let typed = json!({ "email": email, "password": PASSWORD });
    let answer = app.anonymous().post("/app/session", typed).await.expect_status(200);
    app.anonymous().signed_in(&answer)
}

async fn sessions(who: &Client) -> Vec<Value> {
    let all = who.get(SESSIONS).await.expect_status(200).json();
    all["items"].as_array().unwrap().clone()
}

async fn end(who: &Client, session: &Value) -> String {
    let answer = who.delete(&format!("{SESSIONS}/{}", session["id"].as_str().unwrap())).await;
    if answer.status() == 204 { "204".to_owned() } else { answer.refusal() }
}

fn one<'s>(sessions: &'s [Value], name: &str, value: Value) -> &'s Value {
    sessions.iter().find(|session| session[name] == value).unwrap_or(&Value::Null)
}

each_database! {
    async fn a_person_sees_what_lets_them_in_and_ends_it(app: TestApp) {
        let first = app.person("ada@example.org", "owner").await;
        app.person("bo@example.org", "owner").await;
        app.advance(std::time::Duration::from_secs(60));
        let here = sign_in(&app, "ada@example.org").await.with_header("user-agent", FIREFOX);
        let wanted = json!({ "user": "ada@example.org", "label": "the hall clock" });
        let token = here.post("/api/v1/tokens", wanted).await.expect_status(201).json();

        let all = sessions(&here).await;
        assert_eq!(all.len(), 3);
        let present = one(&all, "current", json!(true));
        assert_eq!((&present["kind"], &present["label"]), (&json!("session"), &json!("Firefox, Linux")));
        assert_eq!(present["created_at"], "2026-11-23T12:01:00.000Z");
        let program = one(&all, "kind", json!("token"));
        assert_eq!((&program["id"], &program["label"]), (&token["id"], &json!("the hall clock")));
        let other = one(&all, "created_at", json!("2026-11-23T12:00:00.000Z"));
        assert_eq!((&other["current"], &other["label"]), (&json!(false), &Value::Null));

        assert_eq!(end(&here, other).await, "204");
        assert_eq!(first.get("/app/user").await.refusal(), "401 unauthenticated");
        assert_eq!(end(&here, other).await, "404 session_unknown");
        assert_eq!(end(&here, program).await, "204");
        let bearer = app.bearer(token["token"].as_str().unwrap());
        assert_eq!(bearer.get("/app/user").await.refusal(), "401 unauthenticated");
        assert_eq!(end(&here, present).await, "204");
        assert_eq!(here.get("/app/user").await.refusal(), "401 unauthenticated");
    }

    async fn nobody_ends_what_lets_another_in(app: TestApp) {
        app.person("ada@example.org", "owner").await;
        let bo = app.person("bo@example.org", "admin").await;
        let ada = sign_in(&app, "ada@example.org").await;
        let wanted = json!({ "user": "ada@example.org" });
        let token = ada.post("/api/v1/tokens", wanted).await.expect_status(201).json();
        for session in sessions(&ada).await {
            assert_eq!(end(&bo, &session).await, "404 session_unknown");
        }
        // A token that leaked must not shut its person out; it can end itself.
        let bearer = app.bearer(token["token"].as_str().unwrap());
        let all = sessions(&bearer).await;
        assert_eq!(one(&all, "current", json!(true))["id"], token["id"]);
        assert_eq!(end(&bearer, one(&all, "kind", json!("session"))).await, "403 forbidden");
        assert_eq!(end(&bearer, &token).await, "204");
        assert_eq!(ada.get("/app/user").await.status(), 200);
        assert_eq!(app.admin().get(SESSIONS).await.refusal(), "403 user_required");
    }

    async fn what_has_ended_is_not_listed(app: TestApp) {
        app.person("ada@example.org", "owner").await;
        let ada = sign_in(&app, "ada@example.org").await;
        let wanted = json!({ "user": "ada@example.org", "expires_at": "2026-11-23T13:00:00Z" });
        ada.post("/api/v1/tokens", wanted).await.expect_status(201);
        assert_eq!(sessions(&ada).await.len(), 3);
        for _ in 0..2 {
            app.advance(std::time::Duration::from_secs(20 * 24 * 60 * 60));
            // Its use is noted before this is done.
            ada.put("/app/user", json!({ "language": "en" })).await.expect_status(200);
        }
        assert_eq!(sessions(&ada).await.len(), 1);
    }
}
