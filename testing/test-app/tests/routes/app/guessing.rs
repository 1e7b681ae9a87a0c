//! What guessing costs whoever guesses, and nobody else.

use std::time::Duration;

use otaru_test_app::{Client, PASSWORD, TestApp, each_database};
use serde_json::json;

async fn sign_in(client: &Client, password: &str) -> String {
    let typed = json!({ "email": "ada@x.org", "password": password });
    let answer = client.post("/app/session", typed).await;
    if answer.status() == 200 { "200".to_owned() } else { answer.refusal() }
}

fn at(app: &TestApp, place: &str) -> Client {
    app.anonymous().from_address(place.parse().unwrap())
}

/// A browser that Ada signed in with before, without her session.
async fn known(app: &TestApp, place: &str) -> Client {
    let typed = json!({ "email": "ada@x.org", "password": PASSWORD });
    let signed_in = at(app, place).post("/app/session", typed).await.expect_status(200);
    let cookies = signed_in.cookies();
    let (_, mark) = cookies.split_once("; ").expect("two cookies");
    assert!(mark.starts_with("__Host-otaru-browser="), "{mark}");
    at(app, place).with_header("cookie", mark)
}

each_database! {
    async fn a_neighbour_behind_the_same_address_locks_no_known_browser_out(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let hers = known(&app, "192.0.2.1").await;
        while sign_in(&at(&app, "192.0.2.1"), "wrong horse").await == "401 sign_in_failed" {}
        assert_eq!(sign_in(&at(&app, "192.0.2.1"), PASSWORD).await, "429 too_many_attempts");
        assert_eq!(sign_in(&hers, PASSWORD).await, "200");
    }

    async fn guesses_from_many_addresses_are_counted_together(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        let hers = known(&app, "192.0.2.1").await;
        let mut compared = 0;
        for number in 0..12 {
            let place = at(&app, &format!("198.51.100.{number}"));
            while sign_in(&place, "wrong horse").await == "401 sign_in_failed" {
                compared += 1;
            }
        }
        assert_eq!(compared, 50);
        // From nowhere else does anybody try this account within the hour; she does.
        assert_eq!(sign_in(&at(&app, "203.0.113.7"), PASSWORD).await, "429 too_many_attempts");
        assert_eq!(sign_in(&hers, PASSWORD).await, "200");
        app.advance(Duration::from_secs(60 * 60));
        assert_eq!(sign_in(&at(&app, "203.0.113.7"), PASSWORD).await, "200");
    }

    async fn a_known_browser_has_a_limit_of_its_own(app: TestApp) {
        app.person("ada@x.org", "owner").await;
        app.person("bo@x.org", "owner").await;
        let hers = known(&app, "192.0.2.1").await;
        for _ in 0..10 {
            assert_eq!(sign_in(&hers, "wrong horse").await, "401 sign_in_failed");
        }
        assert_eq!(sign_in(&hers, PASSWORD).await, "429 too_many_attempts");
        // It is known for the person who signed in with it, and for nobody else.
        let bo = |password: &str| json!({ "email": "bo@x.org", "password": password });
        for _ in 0..10 {
            hers.post("/app/session", bo("wrong horse")).await.expect_status(401);
        }
        let stopped = hers.post("/app/session", bo(PASSWORD)).await;
        assert_eq!(stopped.refusal(), "429 too_many_attempts");
        let elsewhere = at(&app, "192.0.2.2").post("/app/session", bo(PASSWORD)).await;
        elsewhere.expect_status(200);
    }

    async fn guessing_keeps_nobody_from_changing_their_password(app: TestApp) {
        let ada = app.person("ada@x.org", "owner").await;
        for number in 0..6 {
            let place = at(&app, &format!("198.51.100.{number}"));
            while sign_in(&place, "wrong horse").await == "401 sign_in_failed" {}
        }
        let change = json!({ "current": PASSWORD, "password": "another horse" });
        ada.put("/app/user/password", change).await.expect_status(204);
    }

    async fn wrong_claim_codes_of_a_neighbour_keep_no_new_owner_out(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let code = app.admin().post("/api/v1/devices/clock-01/claim-code", json!({})).await.json();
        let sign_up = async |code: &str| {
            let typed = json!({ "email": "ada@x.org", "password": PASSWORD, "code": code });
            at(&app, "192.0.2.1").post("/app/sign-up", typed).await
        };
        for _ in 0..20 {
            assert_eq!(sign_up("AAAA-AAAA-AAAA").await.refusal(), "404 claim_code_unknown");
        }
        assert_eq!(sign_up("AAAA-AAAA-AAAA").await.refusal(), "429 too_many_attempts");
        sign_up(code["code"].as_str().unwrap()).await.expect_status(201);
    }
}
