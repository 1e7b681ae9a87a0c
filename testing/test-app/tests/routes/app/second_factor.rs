use std::time::Duration;

use otaru_test_app::{Answer, Authenticator, Client, PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

const FACTOR: &str = "/app/second-factor";
const CODE: &str = "/app/session/second-factor";

/// The challenge that the right password is answered with.
async fn challenge(app: &TestApp) -> Value {
    let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
    let asked = app.anonymous().post("/app/session", typed).await;
    assert_eq!(asked.refusal(), "401 second_factor_required");
    assert_eq!(asked.header("set-cookie"), "");
    asked.json()["challenge"].clone()
}

async fn send(app: &TestApp, challenge: &Value, code: &str) -> Answer {
    app.anonymous().post(CODE, json!({ "challenge": challenge, "code": code })).await
}

/// Sends wrong codes until no more are compared; how many were.
async fn guess(app: &TestApp, challenge: &Value) -> u32 {
    let mut compared = 0;
    while send(app, challenge, "000000").await.refusal() == "401 second_factor_wrong" {
        compared += 1;
    }
    compared
}

async fn id_of(person: &Client) -> String {
    person.get("/app/user").await.json()["id"].as_str().unwrap().to_owned()
}

/// Chooses a password with a link that an administrator made.
async fn reset(app: &TestApp, id: &str, password: &str) -> Answer {
    let link = app.admin().post(&format!("/api/v1/users/{id}/reset-link"), json!({})).await.json();
    let code = link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let chosen = json!({ "code": code, "password": password });
    app.anonymous().put("/app/password-reset", chosen).await
}

async fn state(person: &Client) -> Value {
    person.get(FACTOR).await.expect_status(200).json()
}

each_database! {
    async fn it_counts_once_a_code_confirmed_it(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let none = json!({ "set_up": false, "required": false, "recovery_codes": 0 });
        assert_eq!(state(&ada).await, none);
        let wrong = ada.post(FACTOR, json!({ "password": "wrong horse" })).await;
        assert_eq!(wrong.refusal(), "401 sign_in_failed");
        let missing = ada.put(FACTOR, json!({ "code": "123456" })).await;
        assert_eq!(missing.refusal(), "404 second_factor_unknown");
        let begun = ada.post(FACTOR, json!({ "password": PASSWORD })).await.expect_status(201).json();
        let secret = begun["secret"].as_str().unwrap();
        let url = format!("otpauth://totp/Otaru:ada@x.org?secret={secret}&issuer=Otaru");
        assert_eq!(begun["url"], url);
        let wrong = ada.put(FACTOR, json!({ "code": "abcdef" })).await;
        assert_eq!(wrong.refusal(), "401 second_factor_wrong");
        // Nobody is asked for what they may never have had.
        assert_eq!(state(&ada).await, none);
        let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
        app.anonymous().post("/app/session", typed).await.expect_status(200);

        // Begun anew, the secret before is worth nothing.
        let old = Authenticator::typed(secret);
        let phone = Authenticator::set_up(&app, &ada).await;
        assert_ne!(old.code(&app), phone.code(&app));
        assert_eq!(state(&ada).await, json!({ "set_up": true, "required": false, "recovery_codes": 10 }));
        let again = ada.post(FACTOR, json!({ "password": PASSWORD })).await;
        assert_eq!(again.refusal(), "409 second_factor_set");
        let again = ada.put(FACTOR, json!({ "code": phone.next_code(&app) })).await;
        assert_eq!(again.refusal(), "409 second_factor_set");
    }

    async fn a_password_alone_opens_no_session(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let asked = challenge(&app).await;
        assert_eq!(send(&app, &asked, "000000").await.refusal(), "401 second_factor_wrong");
        let signed_in = send(&app, &asked, &phone.next_code(&app)).await.expect_status(200);
        assert_eq!(signed_in.json()["email"], "ada@x.org");
        app.anonymous().signed_in(&signed_in).get("/app/user").await.expect_status(200);
        let wrong = json!({ "email": "ada@x.org", "password": "wrong horse" });
        let wrong = app.anonymous().post("/app/session", wrong).await;
        assert_eq!(wrong.refusal(), "401 sign_in_failed");
    }

    async fn no_code_is_taken_twice(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        // The one that confirmed it was used, too.
        let shown = phone.code(&app);
        assert_eq!(send(&app, &challenge(&app).await, &shown).await.refusal(), "401 second_factor_wrong");
        let code = phone.next_code(&app);
        send(&app, &challenge(&app).await, &code).await.expect_status(200);
        assert_eq!(send(&app, &challenge(&app).await, &code).await.refusal(), "401 second_factor_wrong");
        // Nor one before it, which a clock that is behind would still show.
        app.advance(Duration::from_secs(30));
        assert_eq!(send(&app, &challenge(&app).await, &code).await.refusal(), "401 second_factor_wrong");
        send(&app, &challenge(&app).await, &phone.code(&app)).await.expect_status(200);
    }

    async fn a_recovery_code_works_once_and_is_noted(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let code = phone.recovery_codes[3].to_lowercase().replace('-', " ");
        send(&app, &challenge(&app).await, &code).await.expect_status(200);
        assert_eq!(state(&ada).await["recovery_codes"], 9);
        let log = app.admin().get("/api/v1/audit?action=session.create&limit=1").await.json();
        assert_eq!(log["items"][0]["after"], json!({ "second_factor": "recovery_code" }));
        let again = send(&app, &challenge(&app).await, &code).await;
        assert_eq!(again.refusal(), "401 second_factor_wrong");

        let renewed = json!({ "code": phone.recovery_codes[4] });
        let renewed = ada.post(&format!("{FACTOR}/recovery-codes"), renewed).await.expect_status(200);
        assert_eq!(renewed.json()["recovery_codes"].as_array().unwrap().len(), 10);
        let old = send(&app, &challenge(&app).await, &phone.recovery_codes[5]).await;
        assert_eq!(old.refusal(), "401 second_factor_wrong");
        let new = renewed.json()["recovery_codes"][0].as_str().unwrap().to_owned();
        send(&app, &challenge(&app).await, &new).await.expect_status(200);
    }

    async fn a_challenge_is_for_minutes_and_for_one_password(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let asked = challenge(&app).await;
        app.advance(Duration::from_secs(5 * 60));
        assert_eq!(send(&app, &asked, &phone.code(&app)).await.refusal(), "401 challenge_unknown");
        let asked = challenge(&app).await;
        let change = json!({ "current": PASSWORD, "password": "another horse" });
        ada.put("/app/user/password", change).await.expect_status(204);
        assert_eq!(send(&app, &asked, &phone.code(&app)).await.refusal(), "401 challenge_unknown");
        for none in ["", ".", "e30.e30", "Zm9v.YmFy"] {
            let answer = send(&app, &json!(none), "123456").await;
            assert_eq!(answer.refusal(), "401 challenge_unknown", "{none}");
        }
    }

    async fn a_reset_password_does_not_skip_it(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;

        let reset = reset(&app, &id_of(&ada).await, "another horse").await;

        assert_eq!(reset.refusal(), "401 second_factor_required");
        assert_eq!(reset.header("set-cookie"), "");
        assert_eq!(ada.get("/app/user").await.refusal(), "401 unauthenticated");
        let asked = reset.json()["challenge"].clone();
        send(&app, &asked, &phone.next_code(&app)).await.expect_status(200);
        let old = json!({ "email": "ada@x.org", "password": PASSWORD });
        let old = app.anonymous().post("/app/session", old).await;
        assert_eq!(old.refusal(), "401 sign_in_failed");
    }

    async fn it_is_removed_with_a_code_or_the_password_only(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let remove = async |proof: Value| ada.post(&format!("{FACTOR}/remove"), proof).await;
        assert_eq!(remove(json!({})).await.refusal(), "400 invalid_field");
        assert_eq!(remove(json!({ "code": "123456" })).await.refusal(), "401 second_factor_wrong");
        let wrong = remove(json!({ "password": "wrong horse" })).await;
        assert_eq!(wrong.refusal(), "401 sign_in_failed");
        remove(json!({ "code": phone.next_code(&app) })).await.expect_status(204);
        assert_eq!(state(&ada).await["set_up"], false);
        let gone = remove(json!({ "password": PASSWORD })).await;
        assert_eq!(gone.refusal(), "404 second_factor_unknown");
        Authenticator::set_up(&app, &ada).await;
        remove(json!({ "password": PASSWORD })).await.expect_status(204);
        assert_eq!(state(&ada).await["recovery_codes"], 0);
    }

    async fn wrong_codes_are_few_and_lock_nobody_out_of_a_known_browser(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let signed_in = send(&app, &challenge(&app).await, &phone.next_code(&app)).await;
        let hers = app.anonymous().with_header("cookie", &signed_in.cookies());
        let mut compared = 0;
        for _ in 0..10 {
            compared += guess(&app, &challenge(&app).await).await;
        }
        assert_eq!(compared, 20);
        let late = send(&app, &challenge(&app).await, &phone.next_code(&app)).await;
        assert_eq!(late.refusal(), "429 too_many_attempts");
        let known = json!({ "challenge": challenge(&app).await, "code": phone.code(&app) });
        hers.post(CODE, known).await.expect_status(200);
    }

    async fn a_reset_link_lets_in_whom_others_guessed_out(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let (id, recovery) = (id_of(&ada).await, &phone.recovery_codes[0]);
        while guess(&app, &challenge(&app).await).await > 0 {}
        let password_alone = send(&app, &challenge(&app).await, recovery).await;
        assert_eq!(password_alone.refusal(), "429 too_many_attempts");
        let asked = reset(&app, &id, "another horse").await.json()["challenge"].clone();
        send(&app, &asked, recovery).await.expect_status(200);
    }

    async fn reset_links_give_no_more_codes_than_a_password_does(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let (id, mut compared) = (id_of(&ada).await, Vec::new());
        for number in 0..6 {
            let reset = reset(&app, &id, &format!("another horse {number}")).await;
            compared.push(guess(&app, &reset.json()["challenge"]).await);
        }
        assert_eq!(compared, [5, 5, 0, 0, 0, 0]);
        let asked = reset(&app, &id, PASSWORD).await.json()["challenge"].clone();
        let late = send(&app, &asked, &phone.recovery_codes[0]).await;
        assert_eq!(late.refusal(), "429 too_many_attempts");
        // They are counted apart from those behind the password.
        send(&app, &challenge(&app).await, &phone.recovery_codes[0]).await.expect_status(200);
    }

    async fn a_token_is_not_asked(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        Authenticator::set_up(&app, &ada).await;
        let made = ada.post("/api/v1/tokens", json!({ "user": "ada@x.org" })).await.expect_status(201);
        let token = app.bearer(made.json()["token"].as_str().unwrap());
        token.get("/api/v1/products").await.expect_status(200);
        assert_eq!(app.admin().get(FACTOR).await.refusal(), "403 user_required");
    }

    async fn what_changes_is_in_the_audit_log_without_secrets(app: TestApp) {
        let ada = app.person("ada@x.org", "viewer").await;
        let phone = Authenticator::set_up(&app, &ada).await;
        let password = json!({ "password": PASSWORD });
        ada.post(&format!("{FACTOR}/recovery-codes"), password.clone()).await.expect_status(200);
        ada.post(&format!("{FACTOR}/remove"), password).await.expect_status(204);
        let log = app.admin().get("/api/v1/audit?action=second_factor").await.json();
        let entries = log["items"].as_array().unwrap();
        let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(
            actions,
            ["second_factor.remove", "second_factor.renew_recovery", "second_factor.set_up"]
        );
        assert!(entries.iter().all(|entry| entry["object"]["name"] == "ada@x.org"));
        let text = log.to_string();
        assert!(phone.recovery_codes.iter().all(|code| !text.contains(code)));
    }
}

async fn with_another_secrets_key(mut app: TestApp) {
    let ada = app.person("ada@x.org", "viewer").await;
    let phone = Authenticator::set_up(&app, &ada).await;
    app.lose_sealing_key();
    app.restart().await;
    let code = phone.next_code(&app);
    assert_eq!(
        send(&app, &challenge(&app).await, &code).await.refusal(),
        "401 second_factor_wrong"
    );
    send(&app, &challenge(&app).await, &phone.recovery_codes[0]).await.expect_status(200);
}

#[tokio::test]
async fn with_a_lost_secrets_key_recovery_codes_let_people_in() {
    with_another_secrets_key(TestApp::start(otaru_test_app::Database::Sqlite).await).await;
}
