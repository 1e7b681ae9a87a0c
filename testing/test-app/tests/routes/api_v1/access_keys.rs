use std::time::Duration;

use otaru_operations::check_access_keys;
use otaru_test_app::{AccessKey, Answer, Client, TestApp, each_database};
use serde_json::{Value, json};

const SHADOW: &str = "/things/clock-01/shadow";

fn signing(app: &TestApp, key: &AccessKey) -> Client {
    app.anonymous().with_access_key(key.clone())
}

async fn make(client: &Client, wanted: Value) -> Answer {
    client.post("/api/v1/tokens", wanted).await
}

async fn listed(app: &TestApp, id: &str) -> Value {
    let all = app.admin().get("/api/v1/tokens").await.expect_status(200).json();
    let all = all["items"].as_array().unwrap().clone();
    all.into_iter().find(|token| token["id"] == id).expect("it is listed")
}

each_database! {
    async fn a_key_is_shown_once_and_listed_with_the_tokens(app: TestApp) {
        let wanted = json!({ "aws": true, "role": "operator", "label": "app",
            "things": ["clock:02", "clock-01", "clock-01"] });
        let made = make(&app.admin(), wanted).await.expect_status(201).json();
        let id = made["access_key_id"].as_str().unwrap();
        let secret = made["secret_access_key"].as_str().unwrap();
        assert_eq!((id.len(), secret.len(), &id[..5]), (20, 40, "OTARU"));
        assert_eq!(made["id"], id);
        assert_eq!(made.get("token"), None);
        let all = app.admin().get("/api/v1/tokens").await;
        assert!(!all.to_string().contains(secret));
        let record = listed(&app, id).await;
        assert_eq!(record["kind"], "aws");
        assert_eq!(record["things"], json!(["clock-01", "clock:02"]));
        assert_eq!((&record["role"], &record["label"]), (&json!("operator"), &json!("app")));
        let made = make(&app.admin(), json!({ "role": "viewer" })).await.expect_status(201).json();
        assert_eq!((&made["kind"], &made["things"]), (&json!("bearer"), &Value::Null));
        assert_eq!(made.get("secret_access_key"), None);
    }

    async fn the_database_alone_gives_nobody_a_key(app: TestApp) {
        let key = app.access_key(json!({ "role": "viewer" })).await;
        let id = key.id.clone();
        let kept = app.store.read(move |tx| {
            let system = otaru_store::SystemScope::for_authentication();
            otaru_store::token_by_id(tx, &system, &id)
        });
        let kept: otaru_store::TokenRow = kept.await.unwrap().unwrap();
        let otaru_store::TokenSecret::Sealed(sealed) = kept.secret else { panic!("not sealed") };
        let secret = key.secret.as_bytes();
        assert!(!sealed.windows(8).any(|part| secret.windows(8).any(|other| other == part)));
        // Nor is a sealed secret one that a bearer could send.
        let bearer = app.bearer(&key.secret).get("/api/v1/whoami").await;
        assert_eq!(bearer.refusal(), "401 unauthenticated");
    }

    async fn a_revoked_key_stops_at_once_and_an_expired_one_on_time(app: TestApp) {
        let expires = json!({ "role": "viewer", "expires_at": "2026-11-23T13:00:00Z" });
        let (kept, ends) = (app.access_key(json!({ "role": "viewer" })).await, app.access_key(expires).await);
        for key in [&kept, &ends] {
            assert_eq!(signing(&app, key).get(SHADOW).await.status(), 404);
        }
        let path = format!("/api/v1/tokens/{}", kept.id);
        app.admin().delete(&path).await.expect_status(204);
        assert_eq!(signing(&app, &kept).get(SHADOW).await.status(), 403);
        assert_eq!(listed(&app, &kept.id).await["revoked"], true);
        app.advance(Duration::from_secs(3_599));
        assert_eq!(signing(&app, &ends).get(SHADOW).await.status(), 404);
        app.advance(Duration::from_secs(1));
        assert_eq!(signing(&app, &ends).get(SHADOW).await.status(), 403);
    }

    async fn a_key_for_a_person_goes_with_them(app: TestApp) {
        app.person("ada@x.org", "operator").await;
        let key = app.access_key(json!({ "user": "ada@x.org" })).await;
        let update = json!({ "state": {} });
        signing(&app, &key).post(SHADOW, update.clone()).await.expect_status(200);
        let people = app.admin().get("/api/v1/users").await.json();
        let path = format!("/api/v1/users/{}", people["items"][0]["id"].as_str().unwrap());
        app.admin().put(&path, json!({ "role": "viewer" })).await.expect_status(200);
        assert_eq!(signing(&app, &key).post(SHADOW, update).await.status(), 403);
        assert_eq!(signing(&app, &key).get(SHADOW).await.status(), 200);
        app.admin().delete(&path).await.expect_status(204);
        assert_eq!(signing(&app, &key).get(SHADOW).await.status(), 403);
    }

    async fn what_a_key_cannot_be_is_refused(app: TestApp) {
        let browser = app.person("ada@x.org", "owner").await;
        let many: Vec<String> = (0..101).map(|number| format!("clock-{number}")).collect();
        let admin = app.admin();
        for (client, wanted, refusal) in [
            (&admin, json!({ "aws": true, "role": "owner" }), "400 invalid_field"),
            (&browser, json!({ "aws": true, "user": "ada@x.org" }), "400 invalid_field"),
            (&admin, json!({ "aws": true, "things": [] }), "400 invalid_field"),
            (&admin, json!({ "aws": true, "things": many }), "400 invalid_field"),
            (&admin, json!({ "aws": true, "things": ["clock 01"] }), "400 invalid_body"),
            (&admin, json!({ "things": ["clock-01"] }), "400 invalid_field"),
            (&browser, json!({ "aws": true }), "403 forbidden"),
        ] {
            assert_eq!(make(client, wanted.clone()).await.refusal(), refusal, "{wanted}");
        }
        let operator = app.operator().await;
        assert_eq!(make(&operator, json!({ "aws": true })).await.refusal(), "403 forbidden");
    }

    async fn a_list_says_when_a_key_was_last_used(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        assert_eq!(listed(&app, &key.id).await["last_used_at"], Value::Null);
        signing(&app, &key).post(SHADOW, json!({ "state": {} })).await.expect_status(200);
        assert_eq!(listed(&app, &key.id).await["last_used_at"], "2026-11-23T12:00:00.000Z");
    }

    async fn a_lost_sealing_key_is_noticed_and_its_keys_can_be_given_up(app: TestApp) {
        let mut app = app;
        let lost = app.access_key(json!({ "role": "viewer" })).await;
        assert_eq!(check_access_keys(&app.operations, false).await.unwrap(), Ok(()));
        app.restart().await;
        assert_eq!(signing(&app, &lost).get(SHADOW).await.status(), 404, "the same key");
        app.lose_sealing_key();
        app.restart().await;
        let unreadable = check_access_keys(&app.operations, false).await.unwrap().unwrap_err();
        assert_eq!(unreadable.ids, [lost.id.as_str()]);
        assert_eq!(signing(&app, &lost).get(SHADOW).await.status(), 403);
        // Another node of the same server may still have the right one.
        let wanted = json!({ "aws": true, "role": "viewer" });
        assert_eq!(make(&app.admin(), wanted).await.refusal(), "503 secrets_key_other");
        assert_eq!(check_access_keys(&app.operations, true).await.unwrap(), Ok(()));
        assert_eq!(listed(&app, &lost.id).await["revoked"], true);
        let fresh = app.access_key(json!({ "role": "viewer" })).await;
        assert_eq!(signing(&app, &fresh).get(SHADOW).await.status(), 404);
    }

    async fn a_key_opens_nothing_but_the_data_plane(app: TestApp) {
        let key = app.access_key(json!({ "role": "admin" })).await;
        let program = signing(&app, &key);
        for path in ["/api/v1/whoami", "/api/v1/devices", "/app/user", "/app/devices"] {
            assert_eq!(program.get(path).await.refusal(), "401 unauthenticated", "{path}");
        }
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let download = program.get("/firmware/clock/1.0.5.bin").await;
        assert_eq!(download.refusal(), "403 download_forbidden");
    }
}
