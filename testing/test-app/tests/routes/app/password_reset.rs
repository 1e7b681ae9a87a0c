use std::time::Duration;

use otaru_test_app::{Database, Mailbox, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

const NEW: &str = "another horse";

async fn link_for(app: &TestApp, email: &str) -> String {
    let people = app.admin().get("/api/v1/users").await.json();
    let people = people["items"].as_array().unwrap();
    let person = people.iter().find(|person| person["email"] == email).unwrap();
    let path = format!("/api/v1/users/{}/reset-link", person["id"].as_str().unwrap());
    let link = app.admin().post(&path, json!({})).await.expect_status(201).json();
    link["url"].as_str().unwrap().strip_prefix("https://otaru.example/reset#").unwrap().to_owned()
}

fn with(code: &str) -> Value {
    json!({ "code": code, "password": NEW })
}

each_database! {
    async fn a_link_sets_a_password_once_and_ends_what_was_open(app: TestApp) {
        let browser = app.person("ada@x.org", "owner").await;
        let token = browser.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await;
        let token = token.expect_status(201).json()["token"].as_str().unwrap().to_owned();
        let (first, second) = (link_for(&app, "ada@x.org").await, link_for(&app, "ada@x.org").await);

        let reset = app.anonymous().put("/app/password-reset", with(&first)).await.expect_status(200);

        assert_eq!(reset.json()["email"], "ada@x.org");
        app.anonymous().signed_in(&reset).get("/app/user").await.expect_status(200);
        assert_eq!(browser.get("/app/user").await.refusal(), "401 unauthenticated");
        // Programs go on.
        app.bearer(&token).get("/app/user").await.expect_status(200);
        for used in [&first, &second] {
            let answer = app.anonymous().put("/app/password-reset", with(used)).await;
            assert_eq!(answer.refusal(), "404 code_unknown");
        }
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        app.anonymous().post("/app/session", typed).await.expect_status(401);
    }

    async fn a_link_lets_somebody_in_who_never_had_a_password(app: TestApp) {
        let bo = json!({ "email": "bo@x.org", "role": "viewer" });
        app.admin().post("/api/v1/users", bo).await.expect_status(201);
        let code = link_for(&app, "bo@x.org").await;
        let weak = json!({ "code": code, "password": "bo@x.org" });
        let weak = app.anonymous().put("/app/password-reset", weak).await;
        assert_eq!(weak.refusal(), "400 password_weak");
        app.anonymous().put("/app/password-reset", with(&code)).await.expect_status(200);
    }

    async fn a_link_passed_on_by_hand_ends_after_a_day(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let code = link_for(&app, "ada@x.org").await;
        app.advance(Duration::from_secs(24 * 60 * 60));
        let late = app.anonymous().put("/app/password-reset", with(&code)).await;
        assert_eq!(late.refusal(), "404 code_unknown");
    }

    async fn a_server_without_mail_says_so(app: TestApp) {
        let asked = json!({ "email": "ada@x.org" });
        let answer = app.anonymous().post("/app/password-reset", asked).await;
        assert_eq!(answer.refusal(), "409 mail_off");
    }
}

#[tokio::test]
async fn a_mailed_link_is_in_the_person_s_language_and_works_for_an_hour_on_sqlite() {
    let mut mailbox = Mailbox::open().await;
    let url = format!("smtp://127.0.0.1:{}", mailbox.port());
    let app = TestApp::start_with_mail(Database::Sqlite, url, None).await;
    assert_eq!(app.anonymous().get("/app/setup").await.json()["mail"], true);
    let browser = app.person("ada@x.org", "owner").await;
    assert_eq!(mailbox.next().await.to, "ada@x.org", "the invitation was mailed, too");
    let ask = async |email: &str, accepted: &str| {
        let client = app.anonymous().with_header("accept-language", accepted);
        client.post("/app/password-reset", json!({ "email": email })).await.expect_status(202)
    };

    // One that nobody has is answered alike, and gets no mail: the next mail is another's.
    let unknown = ask("nobody@x.org", "de").await;
    let known = ask("Ada@x.org", "de-AT,en;q=0.5").await;
    assert_eq!(unknown.body(), known.body());
    let mail = mailbox.next().await;
    assert_eq!(mail.to, "ada@x.org");
    assert!(mail.text.contains("Öffnen") || mail.text.contains("können Sie"), "{}", mail.text);
    app.advance(Duration::from_secs(59 * 60));
    app.anonymous().put("/app/password-reset", with(mail.code())).await.expect_status(200);

    let typed = json!({ "email": "ada@x.org", "password": NEW });
    let signed_in = app.anonymous().post("/app/session", typed).await.expect_status(200);
    drop(browser);
    let browser = app.anonymous().signed_in(&signed_in);
    browser.put("/app/user", json!({ "language": "ja" })).await.expect_status(200);
    ask("ada@x.org", "de").await;
    let mail = mailbox.next().await;
    assert!(mail.text.contains("パスワード"), "{}", mail.text);
    assert!(mail.head.contains("Auto-Submitted: auto-generated"), "{}", mail.head);
    app.advance(Duration::from_secs(60 * 60));
    let late = app.anonymous().put("/app/password-reset", with(mail.code())).await;
    assert_eq!(late.refusal(), "404 code_unknown");
}

#[tokio::test]
async fn nobody_is_flooded_with_mails_on_sqlite() {
    let mut mailbox = Mailbox::open().await;
    let url = format!("smtp://127.0.0.1:{}", mailbox.port());
    let app = TestApp::start_with_mail(Database::Sqlite, url, None).await;
    for email in ["ada@x.org", "bo@x.org"] {
        app.person(email, "owner").await;
        assert_eq!(mailbox.next().await.to, email);
    }
    let ask = async |email: &str| {
        app.anonymous().post("/app/password-reset", json!({ "email": email })).await
    };
    for _ in 0..10 {
        ask("ada@x.org").await.expect_status(202);
    }
    let mut mailed = Vec::new();
    for _ in 0..3 {
        mailed.push(mailbox.next().await.to);
    }
    ask("bo@x.org").await.expect_status(202);
    mailed.push(mailbox.next().await.to);
    assert_eq!(mailed, ["ada@x.org", "ada@x.org", "ada@x.org", "bo@x.org"]);
    for _ in 0..9 {
        ask("nobody@x.org").await.expect_status(202);
    }
    assert_eq!(ask("nobody@x.org").await.refusal(), "429 too_many_attempts");
}
